import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, type ClientReadableStream, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { anyone, type Caller } from "../../../src/core/caller.ts";
import type { RecordRow } from "../../../src/core/record.ts";
import {
  HistoryService,
  TailRecordsRequestSchema,
  type TailRecordsResponse,
} from "../../../src/gen/lastro/v1/history_pb.ts";
import { LogState } from "../../../src/gen/lastro/v1/record_pb.ts";
import type { QueryDeps } from "../../../src/query/deps.ts";
import { publishedLog } from "../../../src/query/published-log.ts";
import { openTail, type Tail } from "../../../src/query/tail-records.ts";
import { type BuiltLog, buildLog } from "../../support/built-log.ts";
import {
  callStream,
  connect,
  failureOf,
  noOperations,
  serve,
  type TestServer,
} from "../../support/grpc-client.ts";
import {
  type EventSpec,
  type HistoryWorld,
  openHistoryWorld,
  worldSrc,
} from "../../support/history-world.ts";
import { slowReader } from "../../support/slow-reader.ts";
import { until } from "../../support/until.ts";

const heartbeatMs = 200;
const stallMs = 300;
const tailsMax = 3;
let world: HistoryWorld;
let built: BuiltLog;
let deps: QueryDeps;
let asked: Record<"checkpoint" | "byRids", number>;
let server: TestServer;
let client: Client & Disposable;
let offset: number;
/** Tails that the server has not ended. */
let running: number;

/** Counts the calls made of the store. */
function counting(): QueryDeps {
  const { log } = world.store;
  const { history } = world.deps;
  return {
    ...world.deps,
    history: {
      ...history,
      byRids(...args) {
        asked.byRids += 1;
        return history.byRids(...args);
      },
    },
    log: publishedLog({
      log: {
        ...log,
        checkpoint(...args) {
          asked.checkpoint += 1;
          return log.checkpoint(...args);
        },
      },
      now: () => performance.now(),
    }),
  };
}

function start(query: QueryDeps, caller: () => Caller = () => anyone): Promise<TestServer> {
  const open = openTail(query, { tailsMax, heartbeatMs }, () => performance.now());
  const counted: Tail = async function* (...args) {
    running += 1;
    try {
      yield* open(...args);
    } finally {
      running -= 1;
    }
  };
  const options = { limits: { streamStallMsMax: stallMs }, authenticate: async () => caller() };
  return serve(query, noOperations, options, { tail: counted });
}

beforeEach(async () => {
  asked = { checkpoint: 0, byRids: 0 };
  offset = 0;
  running = 0;
  world = await openHistoryWorld();
  built = buildLog(world.store.log);
  deps = counting();
  server = await start(deps);
  client = connect(server.address);
});
afterEach(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Stores and logs events, and publishes a checkpoint over them. */
async function log(...events: readonly EventSpec[]): Promise<readonly RecordRow[]> {
  const rows = await world.publish(...events);
  await built.records(worldSrc, offset, rows, world.nowMs());
  offset += rows.length;
  await built.publish();
  return rows;
}
const event = (n: number, more: object = {}): EventSpec => ({ payload: { public_id: `a-${n}`, n, ...more } });
const events = (count: number, from = 0): readonly EventSpec[] =>
  Array.from({ length: count }, (_, n) => event(from + n));
const ridsOf = (rows: readonly { readonly rid: string }[]): readonly string[] => rows.map(({ rid }) => rid);

type Request = MessageInitShape<typeof TailRecordsRequestSchema>;
const at = (index: number) => ({ case: "index", value: BigInt(index) }) as const;
const tail = (request: Request, of: Client = client) =>
  callStream(of, HistoryService, "tailRecords", request);

/** Reads until `enough`; the tail goes on. */
function reading(stream: ClientReadableStream<TailRecordsResponse>) {
  const answers: TailRecordsResponse[] = [];
  stream.on("data", (answer: TailRecordsResponse) => answers.push(answer));
  const ended = failureOf(new Promise((_, reject) => stream.on("error", reject)));
  ended.catch(() => undefined);
  return {
    answers,
    ended,
    rids: () => answers.flatMap(({ records }) => ridsOf(records)),
    async stop() {
      stream.cancel();
      await ended;
      await until("the server has ended it", () => running === 0);
    },
    last: () => Number(answers.at(-1)?.nextIndex ?? -1),
  };
}

describe("a tail", () => {
  test("tells what is in the log and then each record as it comes, in the order of the log, with its place", async () => {
    const early = await log(...events(300));
    const told = reading(tail({ from: at(0) }));
    await until("what was there is told", () => told.rids().length === 300);
    const late = await log(...events(5, 300));
    await until("what came is told", () => told.rids().length === 305);
    expect(told.rids()).toEqual(ridsOf([...early, ...late]));
    const places = told.answers.flatMap(({ records }) => records.map(({ log: place }) => place));
    expect(places.map((place) => Number(place?.index))).toEqual([
      ...early.map((_, index) => index),
      ...late.map((_, index) => 301 + index),
    ]);
    expect(places.every((place) => place?.state === LogState.LOGGED)).toBe(true);
    expect(told.last()).toBe(built.size());
  });

  test("begins with what enters the log from now on when no place is named", async () => {
    await log(...events(3));
    const told = reading(tail({}));
    await until("it has begun", () => told.last() === built.size());
    const late = await log(...events(2, 3));
    await until("what came is told", () => told.rids().length === 2);
    expect(told.rids()).toEqual(ridsOf(late));
  });

  test("gone on with at any next_index tells all that is left, once", async () => {
    const rows = await log(...events(250));
    const told = reading(tail({ from: at(0) }));
    await until("all is told", () => told.last() === built.size());
    await told.stop();
    for (const [n, { nextIndex }] of told.answers.entries()) {
      const rest = reading(tail({ from: { case: "index", value: nextIndex } }));
      await until("the rest is told", () => rest.last() === built.size());
      await rest.stop();
      const before = told.answers.slice(0, n + 1).flatMap(({ records }) => ridsOf(records));
      expect([...before, ...rest.rids()]).toEqual(ridsOf(rows));
    }
  });

  test("is refused beyond what is published", async () => {
    await log(event(1));
    expect(await reading(tail({ from: at(99) })).ended).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "FAILED_PRECONDITION",
    });
    expect(await reading(tail({ from: at(-1) })).ended).toMatchObject({ fields: ["index"] });
    expect(await reading(tail({ filter: "nonsense = 1" })).ended).toMatchObject({ fields: ["filter"] });
  });

  test("tells only what matches its filter, and its heartbeats lead past the rest", async () => {
    await log(...events(20));
    const wanted = await log({ ...event(20), traceId: "wanted" });
    await log(...events(5, 21));
    const told = reading(tail({ filter: "trace_id = wanted", from: at(0) }));
    await until("a heartbeat has passed all", () => told.last() === built.size());
    expect(told.rids()).toEqual(ridsOf(wanted));
    await log(...events(5, 26));
    await until("a heartbeat has passed what came", () => told.last() === built.size());
    expect(told.rids()).toEqual(ridsOf(wanted));
  });

  test("says where it is while nothing comes, and never a place beyond what it told", async () => {
    await log(...events(2));
    const told = reading(tail({ from: at(0) }));
    await until(
      "there were heartbeats",
      () => told.answers.filter(({ records }) => records.length === 0).length > 3,
    );
    expect(told.last()).toBe(built.size());
    let deliveredBelow = 0;
    for (const { records, nextIndex } of told.answers) {
      for (const { log: place } of records) {
        expect(Number(place?.index)).toBeGreaterThanOrEqual(deliveredBelow);
        expect(place?.index).toBeLessThan(nextIndex);
      }
      deliveredBelow = Number(nextIndex);
    }
  });
});

describe("a tail begins at a moment", () => {
  test("with every record recorded then or later, though the log tells only when it was extended", async () => {
    const rows: RecordRow[] = [];
    for (let n = 0; n < 200; n++) rows.push(...(await log(event(n))));
    for (const n of [0, 1, 77, 198, 199]) {
      const moment = rows[n]?.recordedAtMs ?? 0;
      const from = { case: "recordedAt", value: { seconds: BigInt(moment / 1000), nanos: 0 } } as const;
      const told = reading(tail({ from }));
      await until("all is told", () => told.last() === built.size());
      expect(told.rids()).toEqual(ridsOf(rows.slice(n)));
      await told.stop();
    }
  });

  test("without walking what was logged long before", async () => {
    for (let n = 0; n < 400; n++) await log(event(n));
    asked.byRids = 0;
    const from = { case: "recordedAt", value: { seconds: BigInt(world.nowMs() / 1000), nanos: 0 } } as const;
    const told = reading(tail({ from }));
    await until("it has begun", () => told.last() === built.size());
    // A minute of differing clocks is walked: 60 events a second apart.
    expect([told.rids().length, asked.byRids]).toEqual([1, 1]);
  });
});

describe("a tail begins at a checkpoint that was kept", () => {
  test("with what came behind its tree", async () => {
    await log(...events(5));
    const { note } = await built.publish("witnessed");
    const late = await log(...events(3, 5));
    const told = reading(tail({ from: { case: "checkpoint", value: note } }));
    await until("all is told", () => told.last() === built.size());
    expect(told.rids()).toEqual(ridsOf(late));
  });

  test("and is refused where the log holds another tree, or is another", async () => {
    await log(...events(5));
    const { note } = await built.publish("witnessed");
    const [origin = "", size = "", , ...rest] = note.split("\n");
    const otherRoot = [origin, size, Buffer.alloc(32, 1).toString("base64"), ...rest].join("\n");
    for (const value of [
      otherRoot,
      note.replace(origin, "other.log"),
      note.replace(`\n${size}\n`, "\n900\n"),
    ]) {
      expect(await reading(tail({ from: { case: "checkpoint", value } })).ended).toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
    }
    expect(await reading(tail({ from: { case: "checkpoint", value: "kept" } })).ended).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ["checkpoint"],
    });
  });
});

describe("a tail names what it cannot tell", () => {
  test("a record whose sealed content contradicts the filter, and one that is gone from the store", async () => {
    const rows = await log(...events(3));
    const doctored = (row: RecordRow): RecordRow =>
      row.rid === rows[1]?.rid ? { ...row, projection: { ...row.projection, traceId: "planted" } } : row;
    const history = world.tampered(doctored).history;
    const tampered: QueryDeps = {
      ...deps,
      history: {
        ...history,
        async byRids(...args) {
          const found = await history.byRids(...args);
          return { ...found, rows: new Map([...found.rows].filter(([rid]) => rid !== rows[2]?.rid)) };
        },
      },
    };
    await using other = await start(tampered);
    using reader = connect(other.address);
    const told = reading(tail({ filter: "trace_id = planted", from: at(0) }, reader));
    await until("all is told", () => told.last() === built.size());
    expect(told.rids()).toEqual([]);
    expect(told.answers.flatMap(({ alteredRids }) => alteredRids)).toEqual([rows[2]?.rid, rows[1]?.rid]);
  });
});

describe("tails are bounded", () => {
  test("R-12 one ends when the token of its caller does, and is told where to go on", async () => {
    await log(...events(3));
    await using other = await start(deps, () => ({ ...anyone, untilMs: Date.now() + 2 * heartbeatMs }));
    using reader = connect(other.address);
    const told = reading(tail({ from: at(0) }, reader));
    expect(await told.ended).toMatchObject({
      code: status.UNAUTHENTICATED,
      message: expect.stringContaining("expired"),
      nextIndex: String(built.size()),
    });
    expect(told.rids()).toHaveLength(3);
    await until("the server has ended it", () => running === 0);
  });

  test("a reader that is too slow is cut, told where to go on, and nothing is lost that way", async () => {
    const large = "x".repeat(200_000);
    const rows = await log(
      ...Array.from({ length: 30 }, (_, n) => event(n, { a: large, b: large, c: large })),
    );
    const request = create(TailRecordsRequestSchema, { from: at(0) });
    using reader = slowReader(server.address, HistoryService.method.tailRecords, request);
    await until("the server waits for its reader", () => running === 1 && asked.byRids > 0);
    await until("the tail is cut", () => running === 0);
    // What nobody took was not read either.
    expect(asked.byRids).toBeLessThanOrEqual(2);
    const { messages, reason, metadata } = await reader.readAll();
    const told = messages as readonly TailRecordsResponse[];
    expect(reason).toBe("READER_TOO_SLOW");
    expect(told.length).toBeLessThan(5);
    // What was on its way arrives before the error does.
    const next = Math.max(Number(metadata["next_index"]), Number(told.at(-1)?.nextIndex));
    const rest = reading(tail({ from: at(next) }));
    await until("the rest is told", () => rest.last() === built.size());
    const early = told.flatMap(({ records }) => ridsOf(records));
    expect([...early, ...rest.rids()]).toEqual(ridsOf(rows));
  });

  test("so many run at once; another is refused until one ends", async () => {
    await log(event(1));
    const tails = Array.from({ length: tailsMax }, () => tail({ from: at(0) }));
    const told = tails.map(reading);
    await until("they run", () => told.every(({ answers }) => answers.length > 0));
    expect(await reading(tail({ from: at(0) })).ended).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "LIMIT_REACHED",
    });
    tails[0]?.cancel();
    expect(await told[0]?.ended).toMatchObject({ code: status.CANCELLED });
    await until("one has ended", () => running < tailsMax);
    const next = reading(tail({ from: at(0) }));
    await until("one more began", () => next.answers.length > 0);
  });

  test("however many run, the store is asked once for what is new", async () => {
    await log(...events(3));
    const told = Array.from({ length: tailsMax }, () => reading(tail({ from: at(0) })));
    await until("they caught up", () => told.every(({ last }) => last() === built.size()));
    const before = asked.byRids;
    for (let n = 0; n < 10; n++) {
      await log(event(3 + n));
      await until("all were told", () => told.every(({ rids }) => rids().length === 4 + n));
    }
    expect(asked.byRids - before).toBe(10);
  });

  test("nobody looks at the store when no tail runs", async () => {
    await log(event(1));
    const stream = tail({ from: at(0) });
    const told = reading(stream);
    await until("it runs", () => told.last() === built.size());
    stream.cancel();
    await told.ended;
    await until("it has ended", () => running === 0);
    const looks = async (ms: number): Promise<number> => {
      const before = asked.checkpoint;
      await new Promise((resolve) => setTimeout(resolve, ms));
      return asked.checkpoint - before;
    };
    // One that waited when the tail ended is the last.
    expect(await looks(300)).toBeLessThanOrEqual(1);
    expect(await looks(500)).toBe(0);
  });

  test("a deadline ends a tail, with the place to go on from", async () => {
    await log(...events(2));
    const stream = callStream(
      client,
      HistoryService,
      "tailRecords",
      { from: at(0) },
      { deadline: Date.now() + 1_000 },
    );
    const told = reading(stream);
    expect(await told.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(told.rids()).toHaveLength(2);
  });

  test("the end of the server ends it at once, with the place to go on from", async () => {
    await log(...events(2));
    const told = reading(tail({ from: at(0) }));
    await until("all is told", () => told.last() === built.size());
    const startedMs = performance.now();
    await server.drain(10_000);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await told.ended).toMatchObject({
      code: status.UNAVAILABLE,
      reason: "SHUTTING_DOWN",
      nextIndex: String(built.size()),
    });
  });
});
