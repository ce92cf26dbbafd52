/** Audit logs: one by its id, and lists by who, when and what. */

import * as z from "zod";
import { LastroError } from "../../core/errors.ts";
import type { Filter } from "../../core/filter.ts";
import { allOf } from "../../core/filter.ts";
import { type AuditWords, critical, failedAuth } from "../../query/audit-words.ts";
import type { Caller, QueryDeps } from "../../query/deps.ts";
import { getRecord } from "../../query/get-record.ts";
import { pageSizeOf } from "../../query/page.ts";
import { contentOf } from "../../query/record-view.ts";
import { searchRecords, type WalkRequest } from "../../query/search-records.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { auditLogPage, readProblems } from "./answers.ts";
import { auditLogList, auditLogShape, auditLogText, base64Of, withRaw } from "./audit-log.ts";
import { checkPeriod } from "./period.ts";
import { type Answer, jsonAnswer, type Route, route } from "./route.ts";
import { filters, offset, order, paging, recordId, text, walkOf } from "./words.ts";

const listed = { ...filters, ...order, ...paging, ...offset };
type Listed = z.output<z.ZodObject<typeof listed>>;
const pages = { 200: jsonAnswer("A page, newest first unless told", auditLogPage), ...readProblems };
const tag = "audit logs";

async function list(
  deps: QueryDeps,
  given: Listed,
  more: AuditWords,
  also: Filter | undefined,
  caller: Caller,
  signal: AbortSignal,
): Promise<Answer> {
  const { limit = 0, offset: skip = 0, page_token: pageToken = "" } = checkPeriod(given);
  if (pageToken !== "" && given.offset !== undefined)
    throw new LastroError("INVALID_ARGUMENT", "offset must not be given with a page_token", {
      field: "offset",
    });
  const walk: WalkRequest = walkOf(given, more);
  const request = {
    ...walk,
    ...(also === undefined ? {} : { also: allOf([walk.also ?? allOf([]), also]) }),
    pageSize: limit,
    pageToken,
    skip,
  };
  const { answer: page, seen } = await withSeenTree(
    deps,
    signal,
    (treeSize) => searchRecords(deps, request, caller, signal, treeSize),
    ({ records }) => records,
  );
  const fields = {
    altered_ids: page.alteredRids,
    pagination: {
      limit: pageSizeOf(limit),
      offset: skip,
      next_page_token: page.nextPageToken,
      start_tree_size: page.startTreeSize ?? null,
    },
    tree_size: seen.treeSize ?? null,
  };
  return { body: withRaw(fields, { data: auditLogList(page.records, seen) }), treeSize: seen.treeSize };
}

const without = <Names extends keyof typeof listed>(...names: readonly Names[]): Omit<typeof listed, Names> =>
  Object.fromEntries(Object.entries(listed).filter(([name]) => !names.includes(name as Names))) as Omit<
    typeof listed,
    Names
  >;

export const auditLogRoutes = (deps: QueryDeps): readonly Route[] => [
  route({
    method: "GET",
    url: "/audit-logs",
    name: "listAuditLogs",
    asks: "SearchRecords",
    summary: "Records that match",
    tag,
    params: {},
    query: listed,
    answers: pages,
    handle: ({ query }, caller, signal) => list(deps, query, {}, undefined, caller, signal),
  }),
  route({
    method: "GET",
    url: "/audit-logs/critical",
    name: "listCritical",
    asks: "SearchRecords",
    summary: "Security events and what else is CRITICAL",
    tag,
    params: {},
    query: without("severity"),
    answers: pages,
    handle: ({ query }, caller, signal) => list(deps, query, {}, critical, caller, signal),
  }),
  route({
    method: "GET",
    url: "/audit-logs/failed-auth",
    name: "listFailedAuth",
    asks: "SearchRecords",
    summary: "Logins that failed",
    tag,
    params: {},
    query: without("action", "status"),
    answers: pages,
    handle: ({ query }, caller, signal) => list(deps, query, {}, failedAuth, caller, signal),
  }),
  route({
    method: "GET",
    url: "/audit-logs/resource/:type/:id",
    name: "listResource",
    asks: "SearchRecords",
    summary: "Records about one resource",
    tag,
    params: { type: text, id: text },
    query: without("resource", "resource_id"),
    answers: pages,
    handle: ({ params, query }, caller, signal) =>
      list(deps, query, { resource: params.type, resourceId: params.id }, undefined, caller, signal),
  }),
  route({
    method: "GET",
    url: "/audit-logs/user/:userId",
    name: "listUser",
    asks: "SearchRecords",
    summary: "What a user did",
    tag,
    params: { userId: text },
    query: without("user_id"),
    answers: pages,
    handle: ({ params, query }, caller, signal) =>
      list(deps, query, { userId: params.userId }, undefined, caller, signal),
  }),
  route({
    method: "GET",
    url: "/audit-logs/:id",
    name: "getAuditLog",
    asks: "GetRecord",
    summary: "One record, with the event to the byte",
    tag,
    params: { id: recordId },
    query: {},
    answers: { 200: jsonAnswer("The record", oneAuditLog), ...readProblems },
    async handle({ params }, caller, signal) {
      const { answer: record, seen } = await withSeenTree(
        deps,
        signal,
        () => getRecord(deps, { rid: params.id }, caller, signal),
        (view) => [view],
      );
      const event = contentOf(record)?.event;
      const fields = {
        event: event === undefined ? null : base64Of(event),
        tree_size: seen.treeSize ?? null,
      };
      return { body: withRaw(fields, { data: auditLogText(record, seen) }), treeSize: seen.treeSize };
    },
  }),
];

const oneAuditLog = z.object({
  data: auditLogShape,
  event: z.string().meta({ contentEncoding: "base64" }).nullable().describe("The bytes received"),
  tree_size: z.int().nullable(),
});
