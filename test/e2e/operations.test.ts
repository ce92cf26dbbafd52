/** What operators do with the running service: the breaker, and dead letters published again. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import {
  OperationsService,
  OutcomeKind,
  PartitionState,
  ReplayVerdict,
} from "../../src/gen/lastro/v1/operations_pb.ts";
import { call, connect } from "../support/grpc-client.ts";
import { until } from "../support/lastro.ts";
import {
  headerOf,
  message,
  metricOf,
  readTopic,
  type Service,
  startService,
  startTimeoutMs,
} from "./service.ts";

const windowSize = 10;
let service: Service;
beforeAll(async () => {
  service = await startService("sqlite", {
    LASTRO_BREAKER_WINDOW: String(windowSize),
    LASTRO_SCHEMA_UNKNOWN: "reject",
    LASTRO_DEAD_LETTER_ATTEMPTS_MAX: "1",
  });
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

const ofMajor2 = (n: number, producer: string) =>
  message({
    producer,
    payload: { public_id: `a-${n}` },
    metadata: { event_id: `e-${n}`, event_schema_version: "2.0" },
  });
const flood = Array.from({ length: windowSize }, (_, n) => ofMajor2(n, n % 2 === 0 ? "one" : "two"));

/** Positions of the dead letters, in the order in which their events were rejected. */
async function deadLetters() {
  const src = (await service.intake()).find(({ partition }) => partition === 0)?.src ?? "";
  const request = { src, kinds: [OutcomeKind.REJECTED] };
  const { outcomes } = await service.ask(OperationsService, "listOutcomes", request);
  return outcomes.map(({ deadLetter }) => ({
    topic: deadLetter?.topic ?? "",
    partition: deadLetter?.partition ?? 0,
    offset: deadLetter?.offset ?? 0n,
  }));
}

test(
  "a flood of rejections from several producers opens the breaker, also for the next start, until the operator closes it",
  async () => {
    await service.send(flood);
    const isOpen = async () => (await service.ask(OperationsService, "getIntake", {})).breaker?.open === true;
    await until("the breaker is open", isOpen, 10_000, service.lastro());
    expect((await fetch(`${service.lastro().httpUrl}/readyz`)).status).toBe(503);
    expect((await service.stop()).code).toBe(0);

    const again = await service.world.spawn();
    using client = connect(again.grpcAddress);
    const intake = () => call(client, OperationsService, "getIntake", {});
    const isWaiting = async () =>
      (await intake()).partitions.filter(
        ({ state, reason }) => state === PartitionState.WAITING && reason === "BREAKER_OPEN",
      ).length === 6;
    await until("every partition waits", isWaiting, 30_000, again);
    expect(await intake()).toMatchObject({ breaker: { open: true, rejected: 10n, seen: 10n } });
    expect((await fetch(`${again.httpUrl}/readyz`)).status).toBe(503);
    expect(metricOf(await (await fetch(`${again.httpUrl}/metrics`)).text(), "lastro_breaker_open")).toBe(1);
    await call(client, OperationsService, "resumePartition", { target: { case: "breaker", value: true } });
    const isReady = async () => (await fetch(`${again.httpUrl}/readyz`)).ok;
    await until("it is ready", isReady, 10_000, again);
    await again.stop();
  },
  startTimeoutMs,
);

test(
  "dead letters are published again once the cause is mended, and are parked when they come back too often",
  async () => {
    await service.start();
    await service.send([ofMajor2(99, "one")]);
    const letters = await deadLetters();
    expect(letters).toHaveLength(windowSize + 1);
    const replay = (positions: typeof letters) =>
      service.ask(OperationsService, "replayDeadLetters", { positions });
    const [last] = letters.slice(-1);
    expect((await replay(last === undefined ? [] : [last])).verdicts).toEqual([ReplayVerdict.REPLAYED]);
    await until(
      "it came back",
      async () => (await deadLetters()).length === letters.length + 1,
      10_000,
      service.lastro(),
    );
    const [returned] = (await deadLetters()).slice(-1);
    expect((await replay(returned === undefined ? [] : [returned])).verdicts).toEqual([ReplayVerdict.PARKED]);
    expect(
      headerOf(
        (await readTopic(`${service.world.topic}.dlq`, letters.length + 1)).at(-1),
        "audit.dlq.attempt",
      ),
    ).toBe("2");

    await service.restart({ LASTRO_SCHEMA_MAJORS: "1,2" });
    const beyond = { topic: `${service.world.topic}.dlq`, partition: 0, offset: 10_000n };
    const { verdicts } = await replay([...letters.slice(0, windowSize), beyond]);
    expect(verdicts).toEqual([...Array(windowSize).fill(ReplayVerdict.REPLAYED), ReplayVerdict.MISSING]);
    const stored = async () =>
      (await service.ask(HistoryService, "searchRecords", { pageSize: 100 })).records;
    await until(
      "they are stored",
      async () => (await stored()).length === windowSize,
      10_000,
      service.lastro(),
    );
    const events = (await stored()).map(({ event }) => Buffer.from(event).toString());
    expect(events.toSorted()).toEqual(flood.map(({ value }) => String(value)).toSorted());
  },
  startTimeoutMs,
);
