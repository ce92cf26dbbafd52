/** Words and sums of the running service: published to Kafka, found and counted over gRPC, and found over REST. */
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { HistoryService, TimeBucket } from "../../src/gen/lastro/v1/history_pb.ts";
import { json } from "../support/rest-client.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

const lookMs = 100;
const people = ["João da Silva", "Joana Souza", "Maria João", "Ana"];

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(kind);
    await service.send(
      people.map((name, n) =>
        message({
          type: n === 3 ? "account.login_failed" : "account.created",
          payload: { public_id: `p-${n}`, name },
          metadata: { user_id: n === 0 ? "eve" : "mary" },
        }),
      ),
    );
    // Until all of them are indexed; the time of the start ends it otherwise.
    for (let found = 0; found < people.length; await setTimeout(lookMs)) {
      const page = await service.ask(HistoryService, "searchRecords", { filter: "text:account" });
      found = Number(page.startTreeSize ?? 0n) > 0 ? page.records.length : 0;
    }
  }, startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  const names = async (filter: string): Promise<readonly string[]> => {
    const { records } = await service.ask(HistoryService, "searchRecords", {
      filter,
      orderBy: "recorded_at",
    });
    return records.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()).name);
  };

  test("R-65 full text finds words whatever their accents and capitals, and beginnings of words", async () => {
    expect(await names("text:JOAO")).toEqual([people[0], people[2]]);
    expect(await names('text:"joão sil*"')).toEqual([people[0]]);
    expect(await names('text:"jo*" AND owner_id = mary')).toEqual([people[1], people[2]]);
  });

  test("R-65 REST's search finds what gRPC's text does, in every order and page by page, and ids by their beginning", async () => {
    const foundBy = async (query: string): Promise<readonly string[]> => {
      const found: string[] = [];
      for (let token = "", isFirst = true; isFirst || token !== ""; isFirst = false) {
        const url = `${service.lastro().restUrl}/audit-logs?${query}&limit=1&page_token=${token}`;
        const { data, pagination } = await json(url);
        expect(pagination.start_tree_size).toBeGreaterThan(0);
        found.push(
          ...data.map(({ payload }: { readonly payload: { readonly name: string } }) => payload.name),
        );
        token = pagination.next_page_token;
      }
      return found;
    };
    for (const order of ["recorded_at", "timestamp", "user_id", "resource_id"])
      for (const [search, filter] of [
        ["JOAO", "text:joao"],
        ["joão sil", 'text:"joão sil*"'],
        ["jo", 'text:"jo*"'],
        ["maria joao", 'text:"maria joao*"'],
        ["p-3", "entity_id = p-3"],
        ["ev", "owner_id = eve"],
        ["nobody", "text:nobody"],
      ] as const) {
        const found = await foundBy(`search=${encodeURIComponent(search)}&sort_by=${order}&sort_order=ASC`);
        expect([search, order, found.toSorted()]).toEqual([search, order, (await names(filter)).toSorted()]);
        if (order === "recorded_at") expect(found).toEqual(await names(filter));
      }
  });

  test("R-64 R-68 a summary counts by status, severity, actor and day, as of the tree that it names", async () => {
    const request = {
      groupBy: ["status", "severity", "owner_id", "event_type"],
      bucket: TimeBucket.MONTH,
      timeZone: "America/Sao_Paulo",
    };
    const summary = await service.ask(HistoryService, "summarizeRecords", request);
    const told = summary.fields.map(({ values }) =>
      Object.fromEntries(values.map(({ value, count }) => [value, Number(count)])),
    );
    expect(told).toEqual([
      { SUCCESS: 3, FAILURE: 1 },
      { MEDIUM: 3, CRITICAL: 1 },
      { mary: 3, eve: 1 },
      { "account.created": 3, "account.login_failed": 1 },
    ]);
    expect([summary.total, summary.lookedAt, summary.isPartial]).toEqual([4n, 0n, false]);
    expect(summary.buckets.reduce((sum, { count }) => sum + count, 0n)).toBe(4n);
    expect(summary.countedTreeSize).toBeLessThanOrEqual(summary.treeSize ?? 0n);
    const again = { ...request, asOfTreeSize: summary.countedTreeSize ?? 0n };
    const { treeSize: _, ...same } = await service.ask(HistoryService, "summarizeRecords", again);
    expect(summary).toMatchObject(same);
  });

  test("R-64 failures are counted by a filter", async () => {
    const { total } = await service.ask(HistoryService, "summarizeRecords", { filter: "status = FAILURE" });
    expect(total).toBe(1n);
  });

  test("R-85 a list is read again as of its tree, with the same digest", async () => {
    const { startTreeSize, listDigest } = await service.ask(HistoryService, "searchRecords", {
      filter: "text:account",
    });
    const asOfTreeSize = startTreeSize ?? 0n;
    const again = await service.ask(HistoryService, "searchRecords", {
      filter: "text:account",
      asOfTreeSize,
    });
    expect(again.listDigest).toEqual(listDigest);
    expect(again.records).toHaveLength(people.length);
  });

  test("the index tells how far it is", async () => {
    const metrics = await service.metrics();
    expect(metrics).toMatch(/^lastro_index_size(\{.*\})? [1-9]/m);
    expect(metrics).toMatch(/^lastro_index_lag(\{.*\})? \d/m);
  });
});
