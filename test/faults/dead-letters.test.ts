/** What lies in the dead letters: bad data as it came, and nothing else; and what becomes of it when it is published again. */
import { expect, test } from "@jest/globals";
import {
  OperationsService,
  type Outcome,
  OutcomeKind,
  ReplayVerdict,
} from "../../src/gen/lastro/v1/operations_pb.ts";
import { openTestKafka } from "../contract/event-source.kafka.ts";
import { call, connect } from "../support/grpc-client.ts";
import { limitMessages, readTopic } from "../support/kafka-admin.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { getIntake, untilReadiness } from "../support/operator.ts";
import { idOf, makeLoad, plainEvents, storedOnly } from "../support/published.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const brokers = kafkaBrokers().join(",");

async function outcomesOf(lastro: LastroProcess): Promise<readonly Outcome[]> {
  using client = connect(lastro.grpcAddress);
  const all: Outcome[] = [];
  for (const { src } of (await getIntake(lastro)).partitions) {
    const { outcomes } = await call(client, OperationsService, "listOutcomes", { src, pageSize: 1_000 });
    all.push(...outcomes);
  }
  return all;
}

async function replay(lastro: LastroProcess, letters: readonly Outcome[]): Promise<readonly ReplayVerdict[]> {
  using client = connect(lastro.grpcAddress);
  const positions = letters.flatMap(({ deadLetter }) => deadLetter ?? []);
  const { verdicts } = await call(client, OperationsService, "replayDeadLetters", { positions });
  return verdicts;
}

test("the dead letters hold each rejected and conflicting event once, bytes and headers as they came, and no good event", async () => {
  await using world = await makeWorld("sqlite");
  const lastro = await world.start();
  const load = makeLoad({ seed: 3, events: 600, entities: 40 });
  await world.send(load.batch);
  const odd = { key: Buffer.from([0xff, 0]), value: Buffer.from([0xef, 0xbb, 0xbf, 0x80, 0]) };
  const headers = [
    ["b", Buffer.from("2")],
    ["a", Buffer.from([0xff])],
    ["b", null],
  ] as const;
  await using kafka = openTestKafka();
  await kafka.produce(world.topic, [{ partition: 0, ...odd, headers }]);
  await untilDrained(lastro, load.messages + 1);

  const letters = await readTopic(brokers, `${world.topic}.dlq`);
  const text = (bytes: Buffer | null): string => bytes?.toString("latin1") ?? "";
  const wrong = load.batch.filter(
    ({ value }) => value.startsWith('{"broken"') || value.includes('"environment":"other"'),
  );
  expect(wrong.length).toBe(load.rejected + load.conflicts);
  const expected = [
    ...wrong.map(({ key, value }) => `${key} ${value}`),
    `${text(odd.key)} ${text(odd.value)}`,
  ];
  const found = letters.map(({ key, value, headers: all }) =>
    all[0]?.[0] === "b" ? `${text(key)} ${text(value)}` : `${key} ${value}`,
  );
  expect(found.toSorted()).toEqual(expected.toSorted());
  const oddLetter = letters.find(({ value }) => value?.equals(odd.value));
  // Between different names kafkajs does not keep the order.
  const valuesOf = (all: readonly (readonly [string, Uint8Array | null])[] | undefined, name: string) =>
    all?.filter(([one]) => one === name).map(([, bytes]) => bytes);
  for (const name of ["a", "b"]) expect(valuesOf(oddLetter?.headers, name)).toEqual(valuesOf(headers, name));
  expect(await lastro.stop()).toBe(0);
}, 60_000);

test("a replayed dead letter that is stored by now answers duplicate; one still invalid comes back with its attempt counted, then is parked", async () => {
  await using world = await makeWorld("sqlite", { LASTRO_DEAD_LETTER_ATTEMPTS_MAX: "2" });
  // Events without ownership are refused until their producer is exempt.
  const [bare, never] = plainEvents(5, 2).map(({ key, value }, index) => {
    const event = JSON.parse(value) as { producer_service: string; metadata: { ownership_id?: string } };
    const { ownership_id: _, ...metadata } = event.metadata;
    return { key, value: JSON.stringify({ ...event, metadata, producer_service: `service_${index}` }) };
  });
  if (bare === undefined || never === undefined) throw new Error("too few events");
  const strict = await world.start();
  await world.send([bare, never]);
  await untilDrained(strict, 2);
  expect(await strict.stop()).toBe(0);

  const lastro = await world.start({ env: { LASTRO_OWNERSHIP_EXEMPT: "service_0" } });
  const rejected = await outcomesOf(lastro);
  expect(rejected.map(({ kind }) => kind)).toEqual([OutcomeKind.REJECTED, OutcomeKind.REJECTED]);
  expect(await replay(lastro, rejected)).toEqual([ReplayVerdict.REPLAYED, ReplayVerdict.REPLAYED]);
  await untilDrained(lastro, 4);
  expect(await replay(lastro, rejected)).toEqual([ReplayVerdict.REPLAYED, ReplayVerdict.REPLAYED]);
  await untilDrained(lastro, 6);
  const outcomes = await outcomesOf(lastro);
  expect(outcomes.filter(({ kind }) => kind === OutcomeKind.DUPLICATE).length).toBe(1);

  const attempts = async () =>
    (await readTopic(brokers, `${world.topic}.dlq`))
      .filter(({ value }) => value !== null && idOf(value.toString()) === idOf(never.value))
      .map(({ headers }) => headers.find(([name]) => name === "audit.dlq.attempt")?.[1]?.toString());
  expect(await attempts()).toEqual(["1", "2", "2"]);
  const known = new Set(rejected.map(({ deadLetter }) => deadLetter?.offset));
  const second = outcomes.filter(
    ({ kind, deadLetter }) => kind === OutcomeKind.REJECTED && !known.has(deadLetter?.offset),
  );
  expect(await replay(lastro, second.slice(0, 1))).toEqual([ReplayVerdict.REPLAYED]);
  await untilDrained(lastro, 7);
  expect(await attempts()).toEqual(["1", "2", "2", "3"]);
  const third = (await outcomesOf(lastro)).filter(
    ({ deadLetter }) =>
      deadLetter !== undefined && !outcomes.some((old) => old.deadLetter?.offset === deadLetter.offset),
  );
  expect(await replay(lastro, third)).toEqual([ReplayVerdict.PARKED]);
  expect(await lastro.stop()).toBe(0);
  await world.check({ ...storedOnly([bare]), messages: 7, duplicates: 1, rejected: 5 });
}, 60_000);

test("dead letters that their topic suddenly refuses are waited for, with their partitions; nothing is lost once it takes them", async () => {
  await using world = await makeWorld("sqlite");
  const lastro = await world.start();
  const deadLetters = `${world.topic}.dlq`;
  const bytesMax = await limitMessages(brokers, deadLetters, 10);
  const load = makeLoad({ seed: 4, events: 600, entities: 40 });
  await world.send(load.batch);
  await untilReadiness(
    lastro,
    "partitions wait for the dead letters",
    ({ parts }) => parts["partitions"]?.detail?.includes("DEAD_LETTERS_UNAVAILABLE") === true,
    60_000,
  );
  expect(await readTopic(brokers, deadLetters)).toEqual([]);

  await limitMessages(brokers, deadLetters, bytesMax);
  const backMs = performance.now();
  await untilDrained(lastro, load.messages);
  const recoveryMs = performance.now() - backMs;
  await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: "the topic of the dead letters refuses them", recoveryMs }, load);
}, 120_000);
