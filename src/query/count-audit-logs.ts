/** Counts of what matches, by the words of audit logs. */
import { operationOf } from "../core/actions.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { lookAt } from "./looked-at.ts";
import { permit } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import type { WalkRequest } from "./search-records.ts";

const groups = {
  action: (record) => operationOf(record.eventType),
  resource: (record) => record.resourceType ?? contentOf(record)?.entityType,
  severity: (record) => record.severity,
  status: (record) => record.status,
  service_name: (record) => record.producerService,
  user_id: (record) => contentOf(record)?.actor.id,
  day: (record) => {
    const content = contentOf(record);
    return content && new Date(content.actionAtMs).toISOString().slice(0, 10);
  },
} satisfies Readonly<Record<string, (record: RecordView) => string | undefined>>;
export type CountGroup = keyof typeof groups;
export const countGroups = Object.keys(groups) as CountGroup[];

/** Values of a group that are told, the most frequent first. */
export const topMax = 20;

export type Count = { readonly value: string; readonly count: number };
export type RecordCounts = {
  readonly total: number;
  readonly by: Readonly<Record<CountGroup, readonly Count[]>>;
  readonly isPartial: boolean;
};

export async function countAuditLogs(
  deps: QueryDeps,
  request: WalkRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<RecordCounts> {
  const access = permit(deps, caller, "SummarizeRecords");
  let total = 0;
  const counted = new Map(countGroups.map((group) => [group, new Map<string, number>()]));
  const isWhole = await lookAt(deps, request, access, signal, (record) => {
    total += 1;
    for (const [group, counts] of counted) {
      const value = groups[group](record);
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  });
  const by = Object.fromEntries(
    [...counted].map(([group, counts]) => [group, topOf(counts)]),
  ) as RecordCounts["by"];
  return { total, by, isPartial: !isWhole };
}

const topOf = (counts: ReadonlyMap<string, number>): readonly Count[] =>
  [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
    .slice(0, topMax);
