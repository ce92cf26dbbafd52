/** Answers that last longer than grants: tails and exports of callers whose grants change meanwhile. */
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Caller, Grant } from "../../../src/core/caller.ts";
import { ExportFormat, ExportService } from "../../../src/gen/lastro/v1/export_pb.ts";
import { BodyState } from "../../../src/gen/lastro/v1/record_pb.ts";
import type { QueryDeps } from "../../../src/query/deps.ts";
import { grant } from "../../support/callers.ts";
import { collectInto } from "../../support/collecting.ts";
import { events as exportEvents, openExportWorld } from "../../support/export-world.ts";
import { callStream, connect, failureOf } from "../../support/grpc-client.ts";
import { openHistoryWorld } from "../../support/history-world.ts";
import { json, serveRest } from "../../support/rest-client.ts";
import { at, event, events, openTailWorld } from "../../support/tail-world.ts";
import { until } from "../../support/until.ts";

let granted: readonly Grant[];
let isOpened = false;
let denied: string[] = [];
afterEach(() => {
  isOpened = false;
  denied = [];
});

/** Asked for at the beginning of a call. */
const caller = (): Caller => ({
  id: "person:test#anna",
  kind: "person",
  grants: granted,
  grantsNow: () => granted,
});
const guarded = (deps: QueryDeps): QueryDeps => ({
  ...deps,
  guard: {
    ...deps.guard,
    personal: { ...deps.guard.personal, isOpened: () => isOpened },
    watch: { ...deps.guard.watch, denied: (_, method) => void denied.push(method) },
  },
});
const masked = (bounds = {}): Grant => grant("auditor", { personal: false, ...bounds });
const ofDefault = { tenants: ["default"] };

describe("R-25 a tail ends before it tells more than its caller may still see", () => {
  const lost: readonly (readonly [what: string, before: readonly Grant[], after: readonly Grant[]])[] = [
    ["its role", [grant("reader")], [grant("operator")]],
    ["all grants", [grant("reader")], []],
    ["the tenants it had besides", [grant("reader")], [grant("reader", ofDefault)]],
    ["one of its grants", [grant("reader", ofDefault), grant("dpo", { tenants: ["b"] })], [grant("reader", ofDefault)]],
    ["what was recorded before", [grant("reader")], [grant("reader", { fromMs: 1 })]],
    ["the persons", [grant("reader")], [masked()]],
  ]; // biome-ignore format: a table

  test.each(lost)("lost: %s", async (_, before, after) => {
    await using w = await openTailWorld();
    granted = before;
    await using server = await w.start(guarded(w.deps), caller);
    using client = connect(server.address);
    await w.log(...events(3));
    const told = w.reading(w.tail({ from: at(0) }, client));
    await until("what was there is told", () => told.rids().length === 3 && told.last() === w.built.size());
    const place = told.last();
    granted = after;
    await w.log(event(3));
    expect(await told.ended).toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: "PERMISSION_DENIED",
      nextIndex: String(place),
    });
    expect([told.rids().length, denied]).toEqual([3, ["TailRecords"]]);
    await until("the server has ended it", () => w.running() === 0);
  });

  test("and one to which nothing comes ends with its next heartbeat", async () => {
    await using w = await openTailWorld();
    granted = [grant("reader")];
    await using server = await w.start(guarded(w.deps), caller);
    using client = connect(server.address);
    await w.log(event(1));
    const told = w.reading(w.tail({}, client));
    await until("it has begun", () => told.last() === w.built.size());
    granted = [];
    expect(await told.ended).toMatchObject({
      code: status.PERMISSION_DENIED,
      nextIndex: String(w.built.size()),
    });
  });

  test.each([
    ["the same", [grant("reader", ofDefault)]],
    ["more", [grant("operator"), grant("auditor", { tenants: ["default", "b"] })]],
    ["everything", [grant("reader")]],
  ])("but goes on where %s is granted", async (_, after) => {
    await using w = await openTailWorld();
    granted = [grant("reader", ofDefault)];
    await using server = await w.start(guarded(w.deps), caller);
    using client = connect(server.address);
    await w.log(event(1));
    const told = w.reading(w.tail({ from: at(0) }, client));
    await until("what was there is told", () => told.rids().length === 1);
    granted = after;
    await w.log(...events(2, 2));
    await until("what came is told", () => told.rids().length === 3);
    const { length } = told.answers;
    await until("heartbeats come", () => told.answers.length > length + 1);
    expect(denied).toEqual([]);
  });

  test("and where personal access has ended", async () => {
    await using w = await openTailWorld();
    granted = [masked()];
    isOpened = true;
    await using server = await w.start(guarded(w.deps), caller);
    using client = connect(server.address);
    await w.log(event(1));
    const told = w.reading(w.tail({ from: at(0) }, client));
    await until("what was there is told", () => told.rids().length === 1);
    isOpened = false;
    await w.log(event(2));
    expect(await told.ended).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(told.answers.flatMap(({ records }) => records.map(({ bodyState }) => bodyState))).toEqual([
      BodyState.COMPLETE,
    ]);
    const again = w.reading(w.tail({ from: at(0) }, client));
    await until("it is told masked", () => again.rids().length === 2);
    expect(again.answers.flatMap(({ records }) => records.map(({ bodyState }) => bodyState))).toEqual([
      BodyState.MASKED,
      BodyState.MASKED,
    ]);
  });
});

test("R-25 an export over REST ends in an error of the connection once a grant is gone or the token has expired", async () => {
  await using world = await openHistoryWorld();
  for (let n = 0; n < 3; n++)
    await world.publish(...Array.from({ length: 1_000 }, (_, i) => ({ payload: { id: 1_000 * n + i } })));
  let nowMs = world.deps.now();
  const exportDuring = async (meanwhile: () => void): Promise<unknown> => {
    granted = [grant("auditor")];
    let pages = 0;
    const search: QueryDeps["history"]["search"] = async (...asked) => {
      pages += 1;
      // Some pages later than the first, with which the answer begins.
      if (pages === 5) meanwhile();
      return world.deps.history.search(...asked);
    };
    const history = { ...world.deps.history, search };
    const query = guarded({ ...world.deps, history, now: () => nowMs });
    const authenticate = async () => ({ ...caller(), untilMs: nowMs + 1_000 });
    await using rest = await serveRest({ query, collect: collectInto(world) }, { authenticate });
    return await json(`${rest.url}/audit-logs/export`);
  };
  const more = exportDuring(() => {
    granted = [grant("auditor"), grant("reader")];
    nowMs += 999;
  });
  expect(await more).toHaveLength(3_000);
  const expired = exportDuring(() => {
    nowMs += 1_000;
  });
  await expect(expired).rejects.toThrow("terminated");
  expect(denied).toEqual([]);
  const lost = exportDuring(() => {
    granted = [];
  });
  await expect(lost).rejects.toThrow("terminated");
  expect(denied).toEqual(["ExportRecords"]);
});

describe("R-25 an export is given while its caller may see all that it was made of", () => {
  const readsOf = async (x: Awaited<ReturnType<typeof openExportWorld>>, name: string) => {
    const stream = callStream(x.client(), ExportService, "readExport", { name });
    stream.resume();
    return failureOf(new Promise((_, reject) => stream.on("error", reject)));
  };

  test("not once a grant is gone, and again when it is back", async () => {
    await using x = await openExportWorld();
    await x.stop();
    granted = [grant("auditor")];
    await x.start({ query: guarded(x.deps), options: { authenticate: async () => caller() } });
    await x.log(...exportEvents(5));
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.resultOf(begun);
    const bytes = await x.read(begun.name);
    for (const after of [[grant("auditor", ofDefault)], [masked()], [grant("reader")]]) {
      granted = after;
      expect(await readsOf(x, begun.name)).toMatchObject({ code: status.PERMISSION_DENIED });
    }
    granted = [grant("reader"), grant("auditor")];
    expect((await x.read(begun.name)).equals(bytes)).toBe(true);
  });

  test("nor, made under personal access, once that has ended", async () => {
    await using x = await openExportWorld();
    await x.stop();
    [granted, isOpened] = [[masked()], true];
    await x.start({ query: guarded(x.deps), options: { authenticate: async () => caller() } });
    await x.log(...exportEvents(5));
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.resultOf(begun);
    expect((await x.read(begun.name)).toString()).toContain('"owner_id":"789"');
    isOpened = false;
    expect(await readsOf(x, begun.name)).toMatchObject({ code: status.PERMISSION_DENIED });
    const again = await x.exported(ExportFormat.NDJSON);
    expect(again).not.toContain('"owner_id":"789"');
    expect(again).toContain('"body_state":"masked"');
  });

  test("a read that runs ends behind the part that was given", async () => {
    await using x = await openExportWorld();
    await x.stop();
    granted = [grant("auditor")];
    const exports = await x.start({
      query: guarded(x.deps),
      options: { authenticate: async () => caller() },
    });
    await x.log(...Array.from({ length: 4 }, (_, n) => ({ payload: { id: n, large: "x".repeat(200_000) } })));
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.resultOf(begun);
    const reads = exports.read(
      begun.name.replace("operations/", ""),
      0,
      caller(),
      new AbortController().signal,
    );
    expect((await reads.next()).value).toMatchObject({ nextOffset: 256 * 1024 });
    granted = [];
    await expect(reads.next()).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });
});
