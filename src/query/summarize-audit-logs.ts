/** The summary of audit logs, by the words of REST: counts of SummarizeRecords, all as of one tree. */
import { allOf, compare, type Filter } from "../core/filter.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { permit, tellTold } from "./permit.ts";
import type { WalkRequest } from "./search-records.ts";
import { type Summary, summarize, type ValueCount } from "./summarize.ts";

export const countGroups = [
  "action", "resource", "severity", "status", "service_name", "user_id", "day",
] as const; // biome-ignore format: a list
type CountGroup = (typeof countGroups)[number];
export type AuditLogCounts = Pick<Summary, "total" | "isPartial" | "countedTreeSize"> & {
  /** The most frequent first; days ascending. */
  readonly by: Readonly<Record<CountGroup, readonly ValueCount[]>>;
};

/** Values of a group that are told. */
const topMax = 20;
const fields = ["operation", "severity", "status", "producer_service", "resource_type"] as const;
const unnamedResource = compare("resource_type", "=", "");

/** `withUsers`: for callers alone who are shown persons. */
export async function summarizeAuditLogs(
  deps: QueryDeps,
  { filter, also, withUsers }: Pick<WalkRequest, "filter" | "also"> & { readonly withUsers: boolean },
  caller: Caller,
  signal: AbortSignal,
  treeSize: number | undefined,
): Promise<AuditLogCounts> {
  const common = { filter, timeZone: "", valuesMax: topMax, bucket: undefined, also };
  const access = permit(deps, caller, "SummarizeRecords");
  const { summary: main, told } = await summarize(
    deps,
    access,
    { ...common, groupBy: fields, bucket: "day", asOfTreeSize: undefined },
    signal,
    treeSize,
  );
  const then = { ...common, asOfTreeSize: main.countedTreeSize };
  const count = (groupBy: string, more: Filter = allOf([])) => {
    const narrower = also === undefined ? more : allOf([also, more]);
    return summarize(deps, access, { ...then, groupBy: [groupBy], also: narrower }, signal, treeSize);
  };
  const { summary: types } = await count("entity_type", unnamedResource);
  const byUser = withUsers ? await count("owner_id") : undefined;
  const users = byUser?.summary;
  const toldOnce = byUser?.told ?? told;
  if (toldOnce !== undefined) await tellTold(deps, access, toldOnce, signal);
  const [action = [], severity = [], status = [], services = [], resources = []] = main.fields.map(named);
  return {
    total: main.total,
    isPartial: main.isPartial || types.isPartial || users?.isPartial === true,
    countedTreeSize: main.countedTreeSize,
    by: {
      action,
      resource: [...resources, ...types.fields.flatMap(named)]
        .sort((a, b) => b.count - a.count)
        .slice(0, topMax),
      severity,
      status,
      service_name: services,
      user_id: users?.fields.flatMap(named) ?? [],
      day: main.buckets,
    },
  };
}

const named = ({ values }: Summary["fields"][number]): readonly ValueCount[] =>
  values.filter(({ value }) => value !== "");
