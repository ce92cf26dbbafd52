/** Tails of the running service: by the SDK and the command, over a restart, and several beside one another, which print how long after storing a record is told. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Tailed, tailRecords } from "../../src/sdk/tail.ts";
import { freePort } from "../support/lastro.ts";
import { runLastro } from "../support/run-cli.ts";
import { until } from "../support/until.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

let service: Service;
beforeAll(async () => {
  // The address stays over a restart.
  service = await startService("sqlite", { LASTRO_GRPC_ADDRESS: `127.0.0.1:${await freePort()}` });
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

let published = 0;
const messages = (count: number, more: object = {}) =>
  Array.from({ length: count }, () => {
    const n = published++;
    return message(
      { payload: { public_id: `a-${n % 20}`, n, ...more }, metadata: { event_id: `e-${n}` } },
      {},
      { partition: n % 3 },
    );
  });

/** Collects what is told, and when. */
function following(from: Parameters<typeof tailRecords>[1]["from"], filter = "") {
  const stop = new AbortController();
  const told: { readonly index: number; readonly rid: string; readonly delayMs: number }[] = [];
  const places: number[] = [];
  const take = ({ records, nextIndex }: Tailed): void => {
    for (const { index, rid, recordedAt } of records)
      told.push({ index, rid, delayMs: Date.now() - Date.parse(recordedAt) });
    places.push(nextIndex);
  };
  const ended = (async () => {
    for await (const part of tailRecords(service.lastro().grpcAddress, { filter, from }, stop.signal))
      take(part);
  })();
  return {
    told,
    places,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}
const inOrderOnce = (told: readonly { readonly index: number }[]): boolean =>
  told.every(({ index }, at) => at === 0 || index > (told[at - 1]?.index ?? -1));

test(
  "R-10 every record is told once, in the order of the log, over a restart of the service",
  async () => {
    await service.send(messages(150));
    const tail = following({ index: 0 });
    await until("what was there is told", () => tail.told.length === 150);
    await service.restart();
    await service.send(messages(150));
    await until("what came after the restart is told", () => tail.told.length >= 300, 60_000);
    expect([tail.told.length, inOrderOnce(tail.told)]).toEqual([300, true]);
    await tail.stop();
  },
  startTimeoutMs,
);

test(
  "every record is told once by each tail that runs when it is stored, with the sequencer as it is by default",
  async () => {
    const tails = [following("now"), following("now"), following("now", "kind = change")];
    await until("they run", () => tails.every(({ places }) => places.length > 0));
    for (let round = 0; round < 30; round++) await service.send(messages(10));
    await until("all is told", () => tails.every(({ told }) => told.length >= 300));
    for (const { told } of tails) {
      expect([told.length, inOrderOnce(told)]).toEqual([300, true]);
      const delays = told.map(({ delayMs }) => delayMs).sort((a, b) => a - b);
      const at = (share: number): number => delays[Math.ceil(share * delays.length) - 1] ?? Number.NaN;
      console.info(`told after storing: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
    }
    for (const tail of tails) await tail.stop();
  },
  startTimeoutMs,
);

test(
  "the command prints a line for each record, as text or with the event as it was sent",
  async () => {
    const server = ["--server", service.lastro().grpcAddress];
    const plain = await runLastro("tail", ...server, "--from-index", "0", "--count", "5");
    expect([plain.code, plain.out.trimEnd().split("\n").length]).toEqual([0, 5]);
    await service.send(messages(1, { exact: "9007199254740993" }));
    const filter = 'trace_id = "7b3bf470-9456-11e8-9eb6-529269fb1459"';
    const json = await runLastro(
      "tail", ...server, "--since", "2020-01-01T00:00:00Z", "--filter", filter, "--count", "3", "--json",
    ); // biome-ignore format: one line
    const records = json.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(records).toHaveLength(3);
    for (const { index, entity, event } of records)
      expect({ index, id: entity.id }).toEqual({ index: expect.any(Number), id: event.payload.public_id });
    expect(records[0]).toMatchObject({
      severity: "MEDIUM",
      status: "SUCCESS",
      operation: "UPDATE",
      resourceType: null,
    });
    const wrong = await runLastro("tail", ...server, "--filter", "nonsense = 1");
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("nonsense")]);
  },
  startTimeoutMs,
);
