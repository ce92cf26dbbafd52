/** What the running service keeps over restarts, and whose keys and whose Kafka it accepts. */
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { BodyState } from "../../src/gen/lastro/v1/record_pb.ts";
import { until } from "../support/lastro.ts";
import type { StoreKind } from "../support/world.ts";
import {
  endOf,
  kafkaClient,
  message,
  type Service,
  startService,
  startTimeoutMs,
  totalOf,
} from "./service.ts";

type Ring = { readonly v: 1; readonly current: number; readonly keks: Readonly<Record<string, string>> };
const newKek = (): string => randomBytes(32).toString("base64url");
const signal = AbortSignal.timeout(600_000);

/** Ten entities of five persons; the ids tell the round. */
const round = (name: string) =>
  Array.from({ length: 10 }, (_, n) =>
    message(
      { payload: { public_id: `${name}-${n}` }, metadata: { ownership_id: `${name}-${n % 5}` } },
      {},
      { partition: n % 6 },
    ),
  );

/** Every record opens and is what was published. */
async function expectRounds(service: Service, ...names: readonly string[]): Promise<void> {
  const { records } = await service.ask(HistoryService, "searchRecords", { pageSize: 1000 });
  expect(records.map(({ bodyState }) => bodyState)).toEqual(records.map(() => BodyState.COMPLETE));
  const values = names.flatMap(round).map(({ value }) => String(value));
  expect(records.map(({ event }) => Buffer.from(event).toString()).toSorted()).toEqual(values.toSorted());
}

const ringPath = ({ world }: Service): string => join(world.dataDir, "keys", "keyring.json");
const readRing = (service: Service): Ring => JSON.parse(readFileSync(ringPath(service), "utf8"));
/** Aside, then renamed, as docs/keys.md says. */
function writeRing(service: Service, ring: Ring): void {
  const path = ringPath(service);
  writeFileSync(`${path}.new`, JSON.stringify(ring), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

describe.each<StoreKind>(["sqlite", "mongodb"])("on %s", (kind) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(kind, { LASTRO_KEY_REFRESH_MS: "1000", LASTRO_LOG_LEVEL: "info" });
    await service.send(round("first"));
  }, startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  test("a restart keeps everything: records, marks and what was counted", async () => {
    // What is not logged before the restart is after it.
    const all = async () =>
      (await service.ask(HistoryService, "searchRecords", {})).records.map((record) => ({
        ...record,
        log: undefined,
      }));
    const marks = async () => (await service.intake()).map(({ src, mark }) => [src, mark]);
    const before = [await all(), await marks()];
    expect((await service.restart()).code).toBe(0);
    expect([await all(), await marks()]).toEqual(before);
    const counted = { stored: 10, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
    expect(totalOf(await service.intake())).toEqual(counted);
    await expectRounds(service, "first");
  });

  test("the KEK is rotated while serving: old records stay readable, new ones are under the new one, and the old one can go", async () => {
    const old = readRing(service);
    const keks = { ...old.keks, "2": newKek() };
    writeRing(service, { ...old, keks });
    writeRing(service, { ...old, current: 2, keks });
    const isRewrapped = async () =>
      /keys_rewrapped.*"lastro.kek":2.*"lastro.left":0/.test(service.lastro().output());
    await until("all keys are under epoch 2", isRewrapped, 20_000, service.lastro());
    await expectRounds(service, "first");
    await service.send(round("second"));
    await expectRounds(service, "first", "second");
    await service.stop();
    {
      await using store = await service.world.openStore();
      expect(await store.keys.notUnder(2, 100, signal)).toEqual([]);
      // Five persons of each round, and the actors of the month.
      expect(await store.keys.notUnder(1, 100, signal)).toHaveLength(11);
    }
    writeRing(service, { v: 1, current: 2, keks: { "2": keks["2"] } });
    await service.start();
    await expectRounds(service, "first", "second");
  }, 60_000);
});

async function clusterId(): Promise<string> {
  const admin = kafkaClient().admin();
  await admin.connect();
  try {
    return (await admin.describeCluster()).clusterId;
  } finally {
    await admin.disconnect();
  }
}

describe("a filled store", () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService("sqlite");
    await service.send(round("first"));
    await service.stop();
  }, startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  const refused = async (env: Readonly<Record<string, string>> = {}) =>
    endOf(await service.world.spawn({ env }));

  const strange: Ring = { v: 1, current: 1, keks: { "1": newKek() } };
  test.each<[string, RegExp, ((own: Ring) => Ring) | undefined, number]>([
    ["is missing", /^KEY_MISSING: there is no key ring at .*ring\.json.*restore/m, undefined, 0],
    ["is another's", /^KEY_WRONG: KEK 1 /m, () => strange, 0o600],
    ["lacks an epoch", /^KEY_MISSING: KEK 1,/m, () => ({ v: 1, current: 2, keks: { "2": newKek() } }), 0o600],
    ["others may read", /chmod 600/, (own) => own, 0o644],
  ])("refuses a key ring that %s, and names the key", async (_, sentence, ringOf, mode) => {
    const path = join(service.world.dataDir, `${mode.toString(8)}-ring.json`);
    if (ringOf !== undefined) writeFileSync(path, JSON.stringify(ringOf(readRing(service))), { mode });
    const { code, output } = await refused({ LASTRO_KEY_RING_FILE: path });
    expect([code, output]).toEqual([1, expect.stringMatching(sentence)]);
  });

  test("refuses another Kafka cluster until the operator names it, and has lost nothing", async () => {
    {
      await using store = await service.world.openStore();
      const read = await store.state.read(signal);
      if (read?.identity.kafka === undefined) throw new Error("the store is not bound to a cluster");
      // As if the store had been filled from a cluster of that name.
      const kafka = { ...read.identity.kafka, clusterId: "another-cluster" };
      expect(await store.state.replace({ ...read.identity, kafka }, read.revision, signal)).toBe(true);
    }
    const accept = { LASTRO_KAFKA_ACCEPT_CLUSTER: await clusterId() };
    const { code, output } = await refused();
    expect([code, output]).toEqual([1, expect.stringMatching(/^CLUSTER_CHANGED: .*another-cluster/m)]);
    expect(output).toContain(`LASTRO_KAFKA_ACCEPT_CLUSTER=${accept.LASTRO_KAFKA_ACCEPT_CLUSTER}`);
    await service.start(accept);
    await service.send(round("second"));
    await expectRounds(service, "first", "second");
  });
});
