/** Entities: their history, their state, what changed between two versions, and what each version changed. */
import * as z from "zod";
import { LastroError } from "../../core/errors.ts";
import type { AsOf } from "../../ports/history-reader.ts";
import { compareVersions, type ShownDifference } from "../../query/compare-versions.ts";
import type { EntityName, QueryDeps } from "../../query/deps.ts";
import { getHistory } from "../../query/get-history.ts";
import { getState } from "../../query/get-state.ts";
import { type Change, listChanges } from "../../query/list-changes.ts";
import { type SeenTree, withSeenTree } from "../../query/seen-tree.ts";
import { readProblems, seenShape } from "./answers.ts";
import { anyJson, auditLogList, auditLogShape, auditLogText, rawJson, withRaw } from "./audit-log.ts";
import { jsonAnswer, type Route, route } from "./route.ts";
import { fromOne, oneOf, paging, tenant, text, time } from "./words.ts";

const tag = "entities";
const params = { namespace: text, type: text, id: text };
type Named = { readonly namespace: string; readonly type: string; readonly id: string };
const entityOf = (
  { namespace, type, id }: Named,
  { tenant: of = "" }: { readonly tenant?: string | undefined },
): EntityName => ({
  tenant: of,
  namespace,
  entityType: type,
  entityId: id,
});

const entity = z.object({
  tenant: z.string(),
  namespace: z.string(),
  entity_type: z.string(),
  entity_id: z.string(),
});
const history = z.object({
  data: z.array(auditLogShape),
  altered_ids: z.array(z.string()),
  see_also: z.array(entity).describe("Entities that share a candidate id"),
  next_page_token: z.string(),
  ...seenShape,
});
const state = z.object({
  found: z.boolean(),
  deleted: z.boolean(),
  erased: z.boolean(),
  masked: z.boolean(),
  state: anyJson,
  record: auditLogShape.nullable(),
  ...seenShape,
});
const differences = z.array(
  z.object({
    op: z.enum(["add", "remove", "replace"]),
    path: z.string(),
    old_value: anyJson.optional(),
    new_value: anyJson.optional(),
  }),
);
const comparison = z.object({
  differences,
  masked: z.boolean().describe("Values are left out: the caller may not see persons"),
  from: auditLogShape,
  to: auditLogShape,
  ...seenShape,
});

const changes = z.object({
  data: z.array(
    z.object({
      record: auditLogShape,
      old_values: anyJson
        .optional()
        .describe(
          "Before: of objects the members that differ. Absent where there was nothing, or it is not told",
        ),
      new_values: anyJson.optional().describe("After, likewise"),
      differences,
      erased: z.boolean().describe("A state that it is told from was erased: no values and no differences"),
      masked: z.boolean().describe("Values are left out: the caller may not see persons"),
    }),
  ),
  next_page_token: z.string(),
  ...seenShape,
});

const kindsOf = { change: ["change"], activity: ["activity"], all: ["change", "activity"] } as const;

function asOfOf(query: {
  readonly version?: number | undefined;
  readonly recorded_at?: number | undefined;
  readonly action_at?: number | undefined;
}): AsOf {
  const given = (["version", "recorded_at", "action_at"] as const).filter(
    (name) => query[name] !== undefined,
  );
  const [name, second] = given;
  if (second !== undefined)
    throw new LastroError("INVALID_ARGUMENT", `${second} must not be given with ${name}`, { field: second });
  if (query.version !== undefined) return { version: query.version };
  if (query.recorded_at !== undefined) return { recordedAtMs: query.recorded_at };
  return query.action_at === undefined ? undefined : { actionAtMs: query.action_at };
}

const differenceText = ({ op, path, oldValue, newValue }: ShownDifference): string =>
  withRaw(
    { op, path },
    {
      ...(oldValue === undefined ? {} : { old_value: oldValue }),
      ...(newValue === undefined ? {} : { new_value: newValue }),
    },
  );

const differencesText = (all: readonly ShownDifference[]): string => `[${all.map(differenceText).join(",")}]`;

function changeText(change: Change, seen: SeenTree): string {
  const { record, oldValues, newValues, erased, masked } = change;
  return withRaw(
    { erased, masked },
    {
      record: auditLogText(record, seen),
      ...(oldValues === undefined ? {} : { old_values: oldValues }),
      ...(newValues === undefined ? {} : { new_values: newValues }),
      differences: differencesText(change.differences),
    },
  );
}

export const entityRoutes = (deps: QueryDeps): readonly Route[] => [
  historyRoute(deps),
  stateRoute(deps),
  compareRoute(deps),
  changesRoute(deps),
];

const historyRoute = (deps: QueryDeps): Route =>
  route({
    method: "GET",
    url: "/entities/:namespace/:type/:id/history",
    name: "getHistory",
    asks: "GetHistory",
    summary: "The versions of an entity",
    tag,
    params,
    query: {
      ...tenant,
      ...paging,
      kind: oneOf("change", "activity", "all").optional().describe("change by default"),
      include_inactive: oneOf("true", "false").optional().describe("true by default: all versions"),
      sort_order: oneOf("ASC", "DESC").optional().describe("DESC by default"),
    },
    answers: { 200: jsonAnswer("A page of versions", history), ...readProblems },
    async handle({ params: named, query }, caller, signal) {
      const request = {
        entity: entityOf(named, query),
        kinds: kindsOf[query.kind ?? "change"],
        includeInactive: query.include_inactive !== "false",
        order: query.sort_order === "ASC" ? ("asc" as const) : ("desc" as const),
        pageSize: query.limit ?? 0,
        pageToken: query.page_token ?? "",
      };
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => getHistory(deps, request, caller, signal),
        ({ records }) => records,
      );
      const fields = {
        altered_ids: answer.alteredRids,
        see_also: answer.seeAlso.map((one) => ({
          tenant: one.tenant,
          namespace: one.namespace,
          entity_type: one.entityType,
          entity_id: one.entityId,
        })),
        next_page_token: answer.nextPageToken,
        tree_size: seen.treeSize ?? null,
      };
      return { body: withRaw(fields, { data: auditLogList(answer.records, seen) }), treeSize: seen.treeSize };
    },
  });

const stateRoute = (deps: QueryDeps): Route =>
  route({
    method: "GET",
    url: "/entities/:namespace/:type/:id/state",
    name: "getState",
    asks: "GetState",
    summary: "The state of an entity: now, at a version, or as of a moment",
    tag,
    params,
    query: {
      ...tenant,
      version: fromOne.optional(),
      recorded_at: time.optional().describe("What was recorded at that moment"),
      action_at: time.optional().describe("The newest version whose act was not later"),
    },
    answers: { 200: jsonAnswer("The state", state), ...readProblems },
    async handle({ params: named, query }, caller, signal) {
      const request = { entity: entityOf(named, query), asOf: asOfOf(query) };
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => getState(deps, request, caller, signal),
        (one) => (one.found ? [one.record] : []),
      );
      const fields = {
        found: answer.found,
        deleted: answer.found && answer.state.deleted,
        erased: answer.found && answer.state.kind === "erased",
        masked: answer.found && answer.state.kind === "masked",
        tree_size: seen.treeSize ?? null,
      };
      const raw = {
        state: rawJson(answer.found ? answer.text : undefined),
        record: answer.found ? auditLogText(answer.record, seen) : "null",
      };
      return { body: withRaw(fields, raw), treeSize: seen.treeSize };
    },
  });

const compareRoute = (deps: QueryDeps): Route =>
  route({
    method: "GET",
    url: "/entities/:namespace/:type/:id/compare",
    name: "compareVersions",
    asks: "CompareVersions",
    summary: "What changed between two versions (RFC 6902), with old and new values",
    tag,
    params,
    query: { ...tenant, from_version: fromOne, to_version: fromOne },
    answers: { 200: jsonAnswer("The differences", comparison), ...readProblems },
    async handle({ params: named, query }, caller, signal) {
      const request = {
        entity: entityOf(named, query),
        fromVersion: query.from_version,
        toVersion: query.to_version,
      };
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => compareVersions(deps, request, caller, signal),
        ({ from, to }) => [from, to],
      );
      const fields = {
        masked: answer.isMasked,
        tree_size: seen.treeSize ?? null,
      };
      const raw = {
        differences: differencesText(answer.differences),
        from: auditLogText(answer.from, seen),
        to: auditLogText(answer.to, seen),
      };
      return { body: withRaw(fields, raw), treeSize: seen.treeSize };
    },
  });

/** Left out it is the first, or the head; 0, which says so to gRPC, is no version. */
const version = fromOne.refine((given) => given > 0, "must be a version from 1 on").optional();

const changesRoute = (deps: QueryDeps): Route =>
  route({
    method: "GET",
    url: "/entities/:namespace/:type/:id/changes",
    name: "listChanges",
    asks: "ListChanges",
    summary:
      "What each version in a range changed: old values, new values and the difference (RFC 6902), oldest first",
    tag,
    params,
    query: {
      ...tenant,
      ...paging,
      from_version: version.describe("The first by default"),
      to_version: version.describe("Inclusive; the head by default"),
      recorded_from: time.optional().describe("Only what was recorded from this time on"),
      recorded_to: time.optional().describe("Only what was recorded before this time"),
    },
    answers: { 200: jsonAnswer("A page of changes", changes), ...readProblems },
    async handle({ params: named, query }, caller, signal) {
      const request = {
        entity: entityOf(named, query),
        fromVersion: query.from_version ?? 0,
        toVersion: query.to_version ?? 0,
        recordedFromMs: query.recorded_from,
        recordedToMs: query.recorded_to,
        pageSize: query.limit ?? 0,
        pageToken: query.page_token ?? "",
      };
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => listChanges(deps, request, caller, signal),
        (page) => page.changes.map(({ record }) => record),
      );
      const fields = { next_page_token: answer.nextPageToken, tree_size: seen.treeSize ?? null };
      const data = `[${answer.changes.map((change) => changeText(change, seen)).join(",")}]`;
      return { body: withRaw(fields, { data }), treeSize: seen.treeSize };
    },
  });
