import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { anyone } from "../../../src/core/caller.ts";
import type { RecordRow } from "../../../src/core/record.ts";
import { LogState } from "../../../src/gen/lastro/v1/record_pb.ts";
import type { QueryDeps } from "../../../src/query/deps.ts";
import { grant } from "../../support/callers.ts";
import { connect } from "../../support/grpc-client.ts";
import { ridsOf } from "../../support/logged-world.ts";
import { at, event, events, openTailWorld, type TailWorld } from "../../support/tail-world.ts";
import { until } from "../../support/until.ts";

let w: TailWorld;
beforeEach(async () => {
  w = await openTailWorld();
});
afterEach(async () => w[Symbol.asyncDispose]());

describe("a tail", () => {
  test("tells what is in the log and then each record as it comes, in the order of the log, with its place", async () => {
    const early = await w.log(...events(300));
    const told = w.reading(w.tail({ from: at(0) }));
    await until("what was there is told", () => told.rids().length === 300);
    const late = await w.log(...events(5, 300));
    await until("what came is told", () => told.rids().length === 305);
    expect(told.rids()).toEqual(ridsOf([...early, ...late]));
    const places = told.answers.flatMap(({ records }) => records.map(({ log: place }) => place));
    expect(places.map((place) => Number(place?.index))).toEqual([
      ...early.map((_, index) => index),
      ...late.map((_, index) => 301 + index),
    ]);
    expect(places.every((place) => place?.state === LogState.LOGGED)).toBe(true);
    expect(told.last()).toBe(w.built.size());
  });

  test("begins with what enters the log from now on when no place is named", async () => {
    await w.log(...events(3));
    const told = w.reading(w.tail({}));
    await until("it has begun", () => told.last() === w.built.size());
    const late = await w.log(...events(2, 3));
    await until("what came is told", () => told.rids().length === 2);
    expect(told.rids()).toEqual(ridsOf(late));
  });

  test("gone on with at any next_index tells all that is left, once", async () => {
    const rows = await w.log(...events(250));
    const told = w.reading(w.tail({ from: at(0) }));
    await until("all is told", () => told.last() === w.built.size());
    await told.stop();
    for (const [n, { nextIndex }] of told.answers.entries()) {
      const rest = w.reading(w.tail({ from: { case: "index", value: nextIndex } }));
      await until("the rest is told", () => rest.last() === w.built.size());
      await rest.stop();
      const before = told.answers.slice(0, n + 1).flatMap(({ records }) => ridsOf(records));
      expect([...before, ...rest.rids()]).toEqual(ridsOf(rows));
    }
  });

  test("is refused beyond what is published", async () => {
    await w.log(event(1));
    expect(await w.reading(w.tail({ from: at(99) })).ended).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "FAILED_PRECONDITION",
    });
    expect(await w.reading(w.tail({ from: at(-1) })).ended).toMatchObject({ fields: ["index"] });
    expect(await w.reading(w.tail({ filter: "nonsense = 1" })).ended).toMatchObject({ fields: ["filter"] });
  });

  test("tells only what matches its filter, and its heartbeats lead past the rest", async () => {
    await w.log(...events(20));
    const wanted = await w.log({ ...event(20), traceId: "wanted" });
    await w.log(...events(5, 21));
    const told = w.reading(w.tail({ filter: "trace_id = wanted", from: at(0) }));
    await until("a heartbeat has passed all", () => told.last() === w.built.size());
    expect(told.rids()).toEqual(ridsOf(wanted));
    await w.log(...events(5, 26));
    await until("a heartbeat has passed what came", () => told.last() === w.built.size());
    expect(told.rids()).toEqual(ridsOf(wanted));
  });

  test("R-23 tells what has the words that are asked for, as soon as it is there", async () => {
    await w.log(...events(120));
    const told = w.reading(w.tail({ filter: "text:fraude", from: at(0) }));
    await until("a heartbeat has passed all", () => told.last() === w.built.size());
    expect(told.answers.length).toBeLessThan(5);
    const wanted = await w.log(
      event(120, { description: "Suspeita de FRAUDE" }),
      event(121, { description: "fraudes" }),
      event(122, { name: "fraude" }),
    );
    await until("what came is told", () => told.rids().length > 0 && told.last() === w.built.size());
    expect(told.rids()).toEqual(ridsOf(wanted.filter((_, n) => n !== 1)));
  });

  test("R-70 is refused to who asks for words of bodies that are masked", async () => {
    const masked = { ...anyone, grants: [grant("reader", { personal: false })] };
    await using other = await w.start(w.deps, () => masked);
    using reader = connect(other.address);
    expect(await w.reading(w.tail({ filter: "text:fraude" }, reader)).ended).toMatchObject({
      code: status.PERMISSION_DENIED,
      fields: [],
    });
  });

  test("says where it is while nothing comes, and never a place beyond what it told", async () => {
    await w.log(...events(2));
    const told = w.reading(w.tail({ from: at(0) }));
    await until(
      "there were heartbeats",
      () => told.answers.filter(({ records }) => records.length === 0).length > 3,
    );
    expect(told.last()).toBe(w.built.size());
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
    for (let n = 0; n < 200; n++) rows.push(...(await w.log(event(n))));
    for (const n of [0, 1, 77, 198, 199]) {
      const moment = rows[n]?.recordedAtMs ?? 0;
      const from = { case: "recordedAt", value: { seconds: BigInt(moment / 1000), nanos: 0 } } as const;
      const told = w.reading(w.tail({ from }));
      await until("all is told", () => told.last() === w.built.size());
      expect(told.rids()).toEqual(ridsOf(rows.slice(n)));
      await told.stop();
    }
  });

  test("without walking what was logged long before", async () => {
    for (let n = 0; n < 400; n++) await w.log(event(n));
    w.asked.byRids = 0;
    const from = { case: "recordedAt", value: { seconds: BigInt(w.nowMs() / 1000), nanos: 0 } } as const;
    const told = w.reading(w.tail({ from }));
    await until("it has begun", () => told.last() === w.built.size());
    // A minute of differing clocks is walked: 60 events a second apart.
    expect([told.rids().length, w.asked.byRids]).toEqual([1, 1]);
  });
});

describe("a tail begins at a checkpoint that was kept", () => {
  test("with what came behind its tree", async () => {
    await w.log(...events(5));
    const { note } = await w.built.publish("witnessed");
    const late = await w.log(...events(3, 5));
    const told = w.reading(w.tail({ from: { case: "checkpoint", value: note } }));
    await until("all is told", () => told.last() === w.built.size());
    expect(told.rids()).toEqual(ridsOf(late));
  });

  test("and is refused where the log holds another tree, or is another", async () => {
    await w.log(...events(5));
    const { note } = await w.built.publish("witnessed");
    const [origin = "", size = "", , ...rest] = note.split("\n");
    const otherRoot = [origin, size, Buffer.alloc(32, 1).toString("base64"), ...rest].join("\n");
    for (const value of [
      otherRoot,
      note.replace(origin, "other.log"),
      note.replace(`\n${size}\n`, "\n900\n"),
    ]) {
      expect(await w.reading(w.tail({ from: { case: "checkpoint", value } })).ended).toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
    }
    expect(await w.reading(w.tail({ from: { case: "checkpoint", value: "kept" } })).ended).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ["checkpoint"],
    });
  });
});

describe("a tail names what it cannot tell", () => {
  test("a record whose sealed content contradicts the filter, and one that is gone from the store", async () => {
    const rows = await w.log(...events(3));
    const doctored = (row: RecordRow): RecordRow =>
      row.rid === rows[1]?.rid ? { ...row, projection: { ...row.projection, traceId: "planted" } } : row;
    const history = w.tampered(doctored).history;
    const tampered: QueryDeps = {
      ...w.deps,
      history: {
        ...history,
        async byRids(...args) {
          const found = await history.byRids(...args);
          return { ...found, rows: new Map([...found.rows].filter(([rid]) => rid !== rows[2]?.rid)) };
        },
      },
    };
    await using other = await w.start(tampered);
    using reader = connect(other.address);
    const told = w.reading(w.tail({ filter: "trace_id = planted", from: at(0) }, reader));
    await until("all is told", () => told.last() === w.built.size());
    expect(told.rids()).toEqual([]);
    expect(told.answers.flatMap(({ alteredRids }) => alteredRids)).toEqual([rows[2]?.rid, rows[1]?.rid]);
  });
});
