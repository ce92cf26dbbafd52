import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { anyone } from "../../../src/core/caller.ts";
import {
  HistoryService,
  TailRecordsRequestSchema,
  type TailRecordsResponse,
} from "../../../src/gen/lastro/v1/history_pb.ts";
import { connect } from "../../support/grpc-client.ts";
import { ridsOf } from "../../support/logged-world.ts";
import { slowReader } from "../../support/slow-reader.ts";
import {
  at,
  event,
  events,
  heartbeatMs,
  openTailWorld,
  type TailWorld,
  tailsMax,
} from "../../support/tail-world.ts";
import { until } from "../../support/until.ts";

const hourMs = 3_600_000;
let w: TailWorld;
beforeEach(async () => {
  w = await openTailWorld();
});
afterEach(async () => w[Symbol.asyncDispose]());

describe("tails are bounded", () => {
  test("R-12 one ends when the token of its caller does, and is told where to go on", async () => {
    await w.log(...events(3));
    let nowMs = Date.now();
    const caller = { ...anyone, untilMs: nowMs + hourMs };
    await using other = await w.start(
      w.deps,
      () => caller,
      () => nowMs,
    );
    using reader = connect(other.address);
    const told = w.reading(w.tail({ from: at(0) }, reader));
    await until("all is told", () => told.last() === w.built.size());
    nowMs += hourMs;
    expect(await told.ended).toMatchObject({
      code: status.UNAUTHENTICATED,
      message: expect.stringContaining("expired"),
      nextIndex: String(w.built.size()),
    });
    expect(told.rids()).toHaveLength(3);
    await until("the server has ended it", () => w.running() === 0);
  });

  test("R-12 one that tells nothing ends when the token of its caller does, too", async () => {
    const nowMs = Date.now();
    const caller = { ...anyone, untilMs: nowMs + 2 * heartbeatMs };
    // By this clock the token never ends: what ends the tail is set when it begins.
    await using other = await w.start(
      w.deps,
      () => caller,
      () => nowMs,
    );
    using reader = connect(other.address);
    expect(await w.reading(w.tail({}, reader)).ended).toMatchObject({ code: status.UNAUTHENTICATED });
    await until("the server has ended it", () => w.running() === 0);
  });

  test("a reader that is too slow is cut, told where to go on, and nothing is lost that way", async () => {
    const large = "x".repeat(200_000);
    const rows = await w.log(
      ...Array.from({ length: 30 }, (_, n) => event(n, { a: large, b: large, c: large })),
    );
    const request = create(TailRecordsRequestSchema, { from: at(0) });
    using reader = slowReader(w.server.address, HistoryService.method.tailRecords, request);
    await until("the server has read for its reader", () => w.asked.byRids > 0);
    await until("the tail is cut", () => w.running() === 0);
    // What nobody took was not read either.
    expect(w.asked.byRids).toBeLessThanOrEqual(2);
    const { messages, reason, metadata } = await reader.readAll();
    const told = messages as readonly TailRecordsResponse[];
    expect(reason).toBe("READER_TOO_SLOW");
    expect(told.length).toBeLessThan(5);
    // What was on its way arrives before the error does.
    const next = Math.max(Number(metadata["next_index"]), Number(told.at(-1)?.nextIndex));
    const rids = told.flatMap(({ records }) => ridsOf(records));
    // On a busy machine this reader is too slow at times, too, and goes on.
    for (let place = next; place < w.built.size(); ) {
      const rest = w.reading(w.tail({ from: at(place) }));
      const isTold = until("the rest is told", () => rest.last() === w.built.size());
      isTold.catch(() => undefined);
      await Promise.race([isTold, rest.ended]);
      rids.push(...rest.rids());
      place = Math.max(place, rest.last());
    }
    expect(rids).toEqual(ridsOf(rows));
  });

  test("so many run at once; another is refused until one ends", async () => {
    await w.log(event(1));
    const tails = Array.from({ length: tailsMax }, () => w.tail({ from: at(0) }));
    const told = tails.map(w.reading);
    await until("they run", () => told.every(({ answers }) => answers.length > 0));
    expect(await w.reading(w.tail({ from: at(0) })).ended).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "LIMIT_REACHED",
    });
    tails[0]?.cancel();
    expect(await told[0]?.ended).toMatchObject({ code: status.CANCELLED });
    await until("one has ended", () => w.running() < tailsMax);
    const next = w.reading(w.tail({ from: at(0) }));
    await until("one more began", () => next.answers.length > 0);
  });

  test("however many run, the store is asked once for what is new", async () => {
    await w.log(...events(3));
    const told = Array.from({ length: tailsMax }, () => w.reading(w.tail({ from: at(0) })));
    await until("they caught up", () => told.every(({ last }) => last() === w.built.size()));
    const before = w.asked.byRids;
    for (let n = 0; n < 10; n++) {
      await w.log(event(3 + n));
      await until("all were told", () => told.every(({ rids }) => rids().length === 4 + n));
    }
    expect(w.asked.byRids - before).toBe(10);
  });

  test("nobody looks at the store when no tail runs", async () => {
    await w.log(event(1));
    const stream = w.tail({ from: at(0) });
    const told = w.reading(stream);
    await until("it runs", () => told.last() === w.built.size());
    stream.cancel();
    await told.ended;
    await until("it has ended", () => w.running() === 0);
    const looks = async (ms: number): Promise<number> => {
      const before = w.asked.checkpoint;
      await new Promise((resolve) => setTimeout(resolve, ms));
      return w.asked.checkpoint - before;
    };
    // One that waited when the tail ended is the last.
    expect(await looks(300)).toBeLessThanOrEqual(1);
    expect(await looks(500)).toBe(0);
  });

  test("a deadline ends a tail, with the place to go on from", async () => {
    await w.log(...events(2));
    const end = String(w.built.size());
    const endedAfter = async (waitMs: number) => {
      const told = w.reading(w.tail({ from: at(0) }, undefined, { deadline: Date.now() + waitMs }));
      return { ...(await told.ended), count: told.rids().length };
    };
    let ended = await endedAfter(500);
    // On a busy machine it may come before all is told, or before its end is: then the next one is later.
    for (let waitMs = 1_000; ended.nextIndex !== end && waitMs < 10_000; waitMs *= 2)
      ended = await endedAfter(waitMs);
    expect(ended).toMatchObject({ code: status.DEADLINE_EXCEEDED, nextIndex: end, count: 2 });
  });

  test("the end of the server ends it at once, with the place to go on from", async () => {
    await w.log(...events(2));
    const told = w.reading(w.tail({ from: at(0) }));
    await until("all is told", () => told.last() === w.built.size());
    // What does not end by itself would be waited for as long as that.
    await w.server.drain(hourMs);
    expect(await told.ended).toMatchObject({
      code: status.UNAVAILABLE,
      reason: "SHUTTING_DOWN",
      nextIndex: String(w.built.size()),
    });
  });
});
