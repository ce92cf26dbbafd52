/** One suite for the pure stations wherever they run, and what becomes of a batch whose thread dies. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { describe, expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { defaultParseOptions } from "../../src/core/envelope.ts";
import type { SourceEvent } from "../../src/core/event.ts";
import { type Kid, ridOf } from "../../src/core/ids.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import type { SealOrder, StationSettings, Stations } from "../../src/ingest/stations.ts";
import { stationsHere } from "../../src/ingest/stations-here.ts";
import { startWorker, stationsInThread } from "../../src/ingest/stations-thread.ts";
import type { SourceBatch } from "../../src/ports/event-source.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { allRecords } from "../support/checker.ts";
import { auditEvent, batchOf, nowMs, openIntake, silentLog } from "../support/intake.ts";

const lookupSecret = Buffer.alloc(32, 7);
const owner = { kid: Buffer.alloc(16, 1).toString("base64url") as Kid, key: Buffer.alloc(32, 1) };
const actor = { kid: Buffer.alloc(16, 2).toString("base64url") as Kid, key: Buffer.alloc(32, 2) };
/** More than is done without a thread. */
const many = 100;
const control = {
  heartbeat: async () => undefined,
  isStale: () => false,
  signal: AbortSignal.timeout(60_000),
};

type Made = {
  readonly stations: Stations;
  readonly faults: unknown[];
  readonly workers: Worker[];
  readonly warned: string[];
};

function make(where: "here" | "in a thread", parse: StationSettings["parse"] = defaultParseOptions): Made {
  const [faults, workers, warned]: [unknown[], Worker[], string[]] = [[], [], []];
  const noteFault = (cause: unknown): void => void faults.push(cause);
  const common = { catalogueDigest: "none", parse };
  const here = stationsHere({
    ...common, catalogue: emptyCatalogue, lookup: lookupKey(lookupSecret), random: randomBytes, noteFault,
  }); // biome-ignore format: one line of names
  if (where === "here") return { stations: here, faults, workers, warned };
  const stations = stationsInThread({
    settings: { ...common, catalogueText: undefined, lookupSecret },
    here: { ...here, prepare: () => Promise.reject(new Error("done without a thread")) },
    noteFault,
    log: { ...silentLog, error: (code) => void warned.push(code) },
    startThread(settings) {
      const worker = startWorker(settings);
      workers.push(worker);
      return worker;
    },
  });
  return { stations, faults, workers, warned };
}

/** Events of every kind that reaches the stations: with and without key, headers, value and owner; views of a larger block, as a fetch gives them. */
function oddBatch(): SourceBatch {
  const batch = batchOf(
    40,
    Array.from({ length: many }, (_, n) => auditEvent({ eventId: `é${n}`, id: `e-${n % 7}` })),
  );
  const view = (text: string): Buffer => Buffer.from(`before${text}behind`).subarray(6, -6);
  const events = batch.events.map((event, n): SourceEvent => {
    const text = Buffer.from(event.value ?? "").toString();
    const key = n % 3 === 0 ? null : view(`key ${n}`);
    if (n % 10 === 1) return { ...event, key, value: null };
    if (n % 10 === 2) return { ...event, key, value: view('{"a":1,}') };
    if (n % 10 === 3)
      return {
        ...event,
        key,
        value: view(
          text.replaceAll('"user_', '"owner_').replace('"owner_id"', '"owner_type":"user","owner_id"'),
        ),
      };
    if (n % 10 === 4)
      return {
        ...event,
        key,
        value: view(text),
        headers: [
          ["event_id", view(`h${n}`)],
          ["n", null],
          ["n", view("")],
        ],
      };
    return { ...event, key, value: view(text), timestampMs: n % 10 === 5 ? -1 : nowMs };
  });
  return { ...batch, events };
}

async function workThrough({ stations }: Made, batch: SourceBatch) {
  using prepared = await stations.prepare(batch, nowMs, control);
  const orders = prepared.results.flatMap((result, at): SealOrder[] =>
    "rejection" in result ? [] : [{ at, owner, actor: result.hasCuts ? actor : undefined }],
  );
  const sealed = await prepared.seal(orders, control);
  const opened = sealed.map((one, n) => {
    if ("reason" in one) return one;
    const event = batch.events[orders[n]?.at ?? -1] as SourceEvent;
    const { content } = openBody(one.body, ridOf(batch.src, event.offset), (keyClass) =>
      keyClass === "a" ? actor.key : owner.key,
    );
    expect(Buffer.from(content?.value ?? []).equals(event.value ?? Buffer.alloc(0))).toBe(true);
    return { content, kids: one.kids, classes: one.parts.map(({ c }) => c) };
  });
  return JSON.parse(JSON.stringify({ results: prepared.results, opened }));
}

describe.each(["here", "in a thread"] as const)("the pure stations %s", (where) => {
  test("read and seal every event of a batch, and refuse what is bad, with the same results", async () => {
    const made = make(where);
    await using _ = made.stations;
    const batch = oddBatch();
    const worked = await workThrough(made, batch);
    expect(worked).toEqual(await workThrough(make("here"), batch));
    expect(worked.results).toHaveLength(many);
    expect(worked.opened).toHaveLength(many - many / 5);
    expect(made.faults).toEqual([]);
  });

  test("reject an event on which they throw three times as INTERNAL, and tell of it once", async () => {
    const made = make(where, { ...defaultParseOptions, limits: null as never });
    await using _ = made.stations;
    const batch = batchOf(
      0,
      Array.from({ length: many }, (_, n) => auditEvent({ eventId: String(n) })),
    );
    using prepared = await made.stations.prepare(batch, nowMs, control);
    expect(prepared.results).toMatchObject(
      Array(many).fill({ stage: "internal", rejection: { reason: "INTERNAL" } }),
    );
    expect(made.faults).toHaveLength(many);
    expect(made.faults[0]).toBeInstanceOf(Error);
  });
});

test("a batch that is given up does not wait for the thread", async () => {
  const made = make("in a thread");
  await using _ = made.stations;
  const abort = new AbortController();
  const preparing = made.stations.prepare(oddBatch(), nowMs, { ...control, signal: abort.signal });
  abort.abort();
  await expect(preparing).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  await expect(
    made.stations.prepare(oddBatch(), nowMs, { ...control, signal: abort.signal }),
  ).rejects.toMatchObject({
    code: "SOURCE_UNAVAILABLE",
  });
  expect((await workThrough(made, oddBatch())).results).toHaveLength(many);
});

test("what is asked of closed stations fails, and no thread is started for it", async () => {
  const made = make("in a thread");
  await workThrough(made, oddBatch());
  await made.stations[Symbol.asyncDispose]();
  await expect(made.stations.prepare(oddBatch(), nowMs, control)).rejects.toMatchObject({ code: "INTERNAL" });
  expect(made.warned).toEqual([]);
});

test.each(["reads", "has read"])(
  "a thread that dies while it %s a batch loses nothing and doubles nothing: the batch fails as a whole, the next try gets a new thread",
  async (when) => {
    await using intake = await openIntake();
    const made = make("in a thread");
    await using _ = made.stations;
    const batch = batchOf(
      0,
      Array.from({ length: many }, (_, n) => auditEvent({ eventId: String(n), id: `e-${n % 7}` })),
    );
    const die = async (): Promise<void> => void (await made.workers.at(-1)?.terminate());
    const hints = { ...intake.deps.hints, known: async () => die().then(() => new Set<never>()) };
    const deps = { ...intake.deps, stations: made.stations };
    const first = ingestBatch(when === "reads" ? deps : { ...deps, hints }, batch, intake.control);
    if (when === "reads") await Promise.all([die(), once(made.workers[0] as Worker, "exit")]);
    await expect(first).rejects.toMatchObject({ code: "INTERNAL" });
    expect(made.warned).toEqual(["stations_lost"]);
    expect(await allRecords(intake.store)).toEqual([]);
    expect(await ingestBatch(deps, batch, intake.control)).toMatchObject({
      kind: "done",
      report: { counts: { stored: many } },
    });
    const records = await allRecords(intake.store);
    expect(records.map(({ rid }) => Number(rid.split(".")[2]))).toEqual(
      batch.events.map(({ offset }) => offset),
    );
    expect(made.workers).toHaveLength(2);
  },
);

test("small batches are done without a thread", async () => {
  const made = make("in a thread");
  await using _ = made.stations;
  await expect(made.stations.prepare(batchOf(0, [auditEvent()]), nowMs, control)).rejects.toThrow(
    "done without a thread",
  );
  expect(made.workers).toEqual([]);
});
