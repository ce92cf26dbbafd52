/** What tells of persons without their records is told of whoever asked, as a read of them is. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { noWatch, type Told } from "../../src/access/watch.ts";
import type { Caller } from "../../src/core/caller.ts";
import { LastroError } from "../../src/core/errors.ts";
import { parseFilter } from "../../src/core/filter.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { getOwnership, listOwnerships } from "../../src/query/ownerships.ts";
import { summarizeRecords } from "../../src/query/summarize.ts";
import { summarizeAuditLogs } from "../../src/query/summarize-audit-logs.ts";
import { grant, person } from "../support/callers.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";

const signal = new AbortController().signal;
const anna = person("anna", grant("auditor"), grant("dpo"));
const masked = person("masked", grant("auditor", { personal: false }), grant("dpo", { personal: false }));

let world: HistoryWorld;
beforeAll(async () => {
  world = await openHistoryWorld();
  await world.publish(
    { metadata: { tenant_id: "a", user_id: "u-1", ownership_id: "o-1" } },
    { metadata: { tenant_id: "a", user_id: "u-2", ownership_id: "o-2" } },
    { metadata: { tenant_id: "b", user_id: "u-1", ownership_id: "o-3" } },
    { producer: "lastro", metadata: { tenant_id: "c", user_id: "u-3" } },
  );
});
afterAll(async () => world[Symbol.asyncDispose]());

const watchedBy = (told: (caller: Caller, method: string, what: Told) => Promise<void>): QueryDeps => ({
  ...world.deps,
  guard: { ...world.deps.guard, watch: { ...noWatch, isOn: true, told } },
});

type Question = (deps: QueryDeps, caller: Caller) => Promise<unknown>;
async function toldBy(question: Question, caller: Caller = anna): Promise<readonly unknown[]> {
  const told: unknown[] = [];
  const note = async (_: Caller, method: string, what: Told) => void told.push([method, what]);
  await question(watchedBy(note), caller);
  return told.filter((one) => !JSON.stringify(one).includes('"number":0'));
}

const counts =
  (filter: string, ...groupBy: readonly string[]): Question =>
  (deps, caller) =>
    summarizeRecords(
      deps,
      { filter, groupBy, bucket: undefined, timeZone: "", valuesMax: 0, asOfTreeSize: undefined },
      caller,
      signal,
      undefined,
    );
const summary =
  (filter: string, withUsers: boolean): Question =>
  (deps, caller) =>
    summarizeAuditLogs(
      deps,
      { filter: "", also: parseFilter(filter, new Set()), withUsers },
      caller,
      signal,
      undefined,
    );
const ownership: Question = (deps, caller) =>
  getOwnership(deps, { tenant: "a", ownershipId: "o-1" }, caller, signal);
const ownerships: Question = (deps, caller) =>
  listOwnerships(deps, { tenant: "", pageSize: 0, pageToken: "" }, caller, signal);
const counted = (number: number, ...tenants: readonly string[]) => [
  ["SummarizeRecords", { what: "records_counted", number, tenants }],
];

const ofSelfAudit = [
  ["SummarizeRecords", { what: "records_counted", number: 1, tenants: [], isOfSelfAudit: true }],
];

describe("R-87 what a mask would hide is told of whoever asked for it", () => {
  test.each<[string, Question, readonly unknown[]]>([
    ["counts by who acted", counts("", "event_type", "owner_id"), counted(4)],
    ["counts by who owns, of one tenant", counts("tenant = a", "ownership_id"), counted(2, "a")],
    ["the number of a person's records", counts('owner_id = "u-1"'), counted(2)],
    ["counts of what was told here", counts("producer_service = lastro", "owner_id"), ofSelfAudit],
    ["a summary with users", summary("", true), counted(4)],
    ["a summary of a person", summary('owner_id = "u-1"', true), counted(2)],
    ["an ownership", ownership, [["GetOwnership", { what: "ownerships", number: 1, tenants: ["a"] }]]],
    [
      "a list of ownerships",
      ownerships,
      [["ListOwnerships", { what: "ownerships", number: 4, tenants: expect.arrayContaining(["a", "b"]) }]],
    ],
  ])("%s: once a call", async (_, question, told) => {
    expect(await toldBy(question)).toEqual(told);
  });

  test.each<[string, Question]>([
    ["counts by what happened", counts("tenant = a", "event_type")],
    ["a summary without users", summary("event_type = account.updated", false)],
    ["a person of whom nothing was found", counts('owner_id = "nobody"')],
  ])("%s tells of nobody", async (_, question) => {
    expect(await toldBy(question)).toEqual([]);
  });

  test("ownerships without their ids tell of nobody", async () => {
    expect(await toldBy(ownerships, masked)).toEqual([]);
  });

  test.each<[string, Question]>([
    ["counts by who acted", counts("", "owner_id")],
    ["a summary with users", summary("", true)],
    ["an ownership", ownership],
    ["a list of ownerships", ownerships],
  ])("%s is not answered where telling fails", async (_, question) => {
    const away = watchedBy(() => Promise.reject(new LastroError("SOURCE_UNAVAILABLE", "Kafka is away")));
    await expect(question(away, anna)).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  });
});
