/** Answers made of many records: addresses, counts, what looks like an attack. */
import * as z from "zod";
import { suspicionRules } from "../../core/suspicion.ts";
import { countedRowsMax } from "../../query/count-records.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { getIpHistory } from "../../query/ip-history.ts";
import { lookedAtMax } from "../../query/looked-at.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { countGroups, summarizeAuditLogs } from "../../query/summarize-audit-logs.ts";
import { getSuspiciousActivity } from "../../query/suspicious-activity.ts";
import { readProblems, seenShape } from "./answers.ts";
import { isoOf } from "./audit-log.ts";
import { checkPeriod } from "./period.ts";
import { jsonAnswer, type Route, route } from "./route.ts";
import { filters, oneOf, period, tenant, text, walkOf } from "./words.ts";

const tag = "insights";
const dateTime = z.string().meta({ format: "date-time" });
const isPartial = (rowsMax: number) =>
  z.boolean().describe(`More than ${rowsMax} records would have had to be looked at: narrow the dates`);
const noRecords = () => [];

const ipHistory = z.object({
  data: z.array(
    z.object({
      ip_address: z.string(),
      count: z.int(),
      first_seen: dateTime,
      last_seen: dateTime,
      services: z.array(z.string()),
    }),
  ),
  is_partial: isPartial(lookedAtMax),
  ...seenShape,
});
const counts = z.array(z.object({ value: z.string(), count: z.int() }));
const summary = z.object({
  total: z.int(),
  by: z.object(Object.fromEntries(countGroups.map((group) => [group, counts]))),
  is_partial: isPartial(countedRowsMax),
  counted_tree_size: z
    .int()
    .nullable()
    .describe("The tree whose records are counted; null where there is none"),
  ...seenShape,
});
const suspicious = z.object({
  data: z.array(
    z.object({
      rule: z.enum(suspicionRules),
      user_id: z.string().nullable(),
      ip_address: z.string().nullable(),
      count: z.int(),
      first_seen: dateTime,
      last_seen: dateTime,
      record_ids: z.array(z.string()).describe("The earliest of them"),
    }),
  ),
  is_partial: isPartial(lookedAtMax),
  ...seenShape,
});

export const insightRoutes = (deps: QueryDeps): readonly Route[] => [
  route({
    method: "GET",
    url: "/audit-logs/user/:userId/ip-history",
    name: "getIpHistory",
    asks: "GetIpHistory",
    summary: "The addresses a user acted from, last seen first",
    tag,
    params: { userId: text },
    query: { ...tenant, ...period },
    answers: { 200: jsonAnswer("Addresses", ipHistory), ...readProblems },
    async handle({ params, query }, caller, signal) {
      const request = walkOf(checkPeriod(query), { userId: params.userId });
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => getIpHistory(deps, request, caller, signal),
        noRecords,
      );
      const data = answer.addresses.map(({ ip, count, firstMs, lastMs, services }) => ({
        ip_address: ip,
        count,
        first_seen: isoOf(firstMs),
        last_seen: isoOf(lastMs),
        services,
      }));
      const body = { data, is_partial: answer.isPartial, tree_size: seen.treeSize ?? null };
      return { body: JSON.stringify(body), treeSize: seen.treeSize };
    },
  }),
  route({
    method: "GET",
    url: "/audit-logs/summary",
    name: "getSummary",
    asks: "SummarizeRecords",
    summary: "Counts by action, resource, severity, status, service, user and day of recording (UTC)",
    tag,
    params: {},
    query: {
      ...filters,
      users: oneOf("true", "false")
        .optional()
        .describe("Whether users are counted; false by default, since it takes longer"),
    },
    answers: { 200: jsonAnswer("Counts", summary), ...readProblems },
    async handle({ query: { users, ...query } }, caller, signal) {
      const request = { ...walkOf(checkPeriod(query)), withUsers: users === "true" };
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        (treeSize) => summarizeAuditLogs(deps, request, caller, signal, treeSize),
        noRecords,
      );
      const body = {
        total: answer.total,
        by: answer.by,
        is_partial: answer.isPartial,
        counted_tree_size: answer.countedTreeSize ?? null,
        tree_size: seen.treeSize ?? null,
      };
      return { body: JSON.stringify(body), treeSize: seen.treeSize };
    },
  }),
  route({
    method: "GET",
    url: "/audit-logs/suspicious-activity",
    name: "getSuspiciousActivity",
    asks: "GetSuspiciousActivity",
    summary: "What looks like an attack, latest first",
    tag,
    params: {},
    query: filters,
    answers: { 200: jsonAnswer("What was found", suspicious), ...readProblems },
    async handle({ query }, caller, signal) {
      const request = walkOf(checkPeriod(query));
      const { answer, seen } = await withSeenTree(
        deps,
        signal,
        () => getSuspiciousActivity(deps, request, caller, signal),
        noRecords,
      );
      const data = answer.suspicions.map((one) => ({
        rule: one.rule,
        user_id: one.userId ?? null,
        ip_address: one.ip ?? null,
        count: one.count,
        first_seen: isoOf(one.firstMs),
        last_seen: isoOf(one.lastMs),
        record_ids: one.rids,
      }));
      const body = { data, is_partial: answer.isPartial, tree_size: seen.treeSize ?? null };
      return { body: JSON.stringify(body), treeSize: seen.treeSize };
    },
  }),
];
