/** A process of a world that takes events in: the real consumer, between a broker, a store, hints and dead letters that fail. */
import { LastroError } from "../../src/core/errors.ts";
import { newBreaker } from "../../src/ingest/breaker.ts";
import { type Consumer, consume } from "../../src/ingest/consume.ts";
import { headCache } from "../../src/ingest/head-cache.ts";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { acceptedIncarnations, acceptIncarnation, bindSource } from "../../src/ingest/incarnations.ts";
import { openPace } from "../../src/ingest/pace.ts";
import { repeat } from "../../src/lib/upkeep.ts";
import type { DeadLetters } from "../../src/ports/dead-letters.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { KeyRing } from "../../src/ports/key-ring.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Observer } from "../../src/ports/observer.ts";
import type { StoreState } from "../../src/ports/store-state.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { rewrapKeys } from "../../src/privacy/rotate.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import { silentLog, silentObserver, stationSettings } from "../support/intake.ts";
import type { Call } from "./calls.ts";
import { checkLetter } from "./check-letters.ts";
import { hintsBehind } from "./hints.ts";
import { memoryLetters } from "./letters.ts";
import { ringBehind } from "./ring.ts";
import { clusterId, deadLetterTopic, topic } from "./topic.ts";
import { assert } from "./violation.ts";
import { clockOf, facesOf, fault, waysOf } from "./ways.ts";
import type { Process, World } from "./world.ts";

const probeMs = 2_000;
const rewrapMs = 3_000;

/** As the composition root joins it; ends the process where the start fails. */
export async function startIntake(world: World, life: Process): Promise<void> {
  try {
    await join(world, life);
  } catch (error) {
    if (!(error instanceof LastroError)) throw error;
    world.scheduler.kill(life);
  }
}

async function join(world: World, life: Process): Promise<void> {
  const ways = waysOf(world, life);
  const { records, audit, keys, state } = facesOf(world, ways.store);
  const { scheduler, random, broker } = world;
  const { signal } = life.stop;
  const now = clockOf(world, life);
  const sleep = scheduler.sleepOf(life);
  const opened = world.plan.ring === undefined ? world.ring : await openRing(world, ways.ring);
  const { lookupKey: lookup, ring } = await openStoreKeys({ state, ring: opened, random, now }, signal);
  const source = broker.open(life, ways.source);
  await bindTo(world, state, ways.source, signal);
  const consumer = consume(
    {
      records, state, random, now, sleep, source,
      recordsOf: audit.records,
      hints: watchedHints(world, ways.hints),
      deadLetters: watchedLetters(world, ways.letters),
      stations: { ...stationSettings, lookup, random, noteFault: () => fault(world, life, "a station threw") },
      dataKeys: dataKeys({ keys, ring, now, random }),
      heads: headCache(records, 1_000),
      idSources: watchIdSources(silentObserver, silentLog),
      pace: openPace(),
      limits: { batchSizeMax: 4, attemptsMax: 4, backoffMinMs: 100, backoffMaxMs: 5_000 },
      observer: observerOf(world, life),
      log: linesOf(world, life),
      breaker: newBreaker({ enabled: world.plan.floods, windowSize: 5, ratio: 0.6, producersMin: 1 }),
      eventsInWorkMax: 100,
      accepted: (until) => acceptedIncarnations(state, topic, until),
      accept: (topicId, until) => acceptIncarnation(state, topic, topicId, until),
      onCrash: ({ message }: LastroError) => fault(world, life, message),
    },
    signal,
  ); // biome-ignore format: one line a name
  if (world.plan.floods)
    void repeat(probeMs, signal, noticing(state, consumer, signal), () => undefined, sleep);
  if (world.plan.keks > 1) {
    const rewrap = async (): Promise<void> => void (await rewrapKeys({ state, keys, ring, random }, signal));
    void repeat(rewrapMs, signal, rewrap, (error) => noteRewrap(world, life, error), sleep);
  }
  life.intake = { consumer, source };
  await consumer.start();
}

const openRing = (world: World, call: Call): Promise<KeyRing> =>
  ringBehind(world.ring, call, () => !world.isQuiet && world.scheduler.chance(world.plan.ring?.late ?? 0));

/** The store belongs to the topic as it is found first. */
async function bindTo({ broker }: World, state: StoreState, call: Call, signal: AbortSignal): Promise<void> {
  const found = await call("source.read", signal, () => ({
    clusterId,
    topicId: broker.current()[0]?.topicId ?? ("" as never),
    partitions: [],
  }));
  await bindSource(state, topic, found, undefined, signal);
}

const noticing = (state: StoreState, consumer: Consumer, signal: AbortSignal) => async (): Promise<void> =>
  consumer.noticeBreaker(await state.breaker(signal));

const transient = ["STORE_UNAVAILABLE", "KEY_UNAVAILABLE"];
function noteRewrap(world: World, life: Process, error: unknown): void {
  if (!(error instanceof LastroError && transient.includes(error.code))) fault(world, life, `${error}`);
}

const observerOf = ({ plan, claims }: World, life: Process): Observer => ({
  ...silentObserver,
  batchDone: ({ redelivered }) =>
    claims.push(() =>
      assert(!plan.isCalm || redelivered === 0, () => `${life.name}: ${redelivered} were delivered again`),
    ),
});

/** What happens in a world is said; nothing else is a reason for an error, and nothing needs an operator but what he is told here. */
const linesOf = (world: World, life: Process): Log => ({
  ...silentLog,
  error(code, message, fields, cause) {
    const { stack } = cause instanceof Error ? cause : { stack: undefined };
    if (!isExpected(world, code, fields?.["code"])) fault(world, life, `${code}: ${message} ${stack ?? ""}`);
  },
});

function isExpected({ plan }: World, line: string, code: unknown): boolean {
  if (line === "breaker_open") return plan.floods;
  if (line === "events_lost_to_retention") return plan.retention;
  if (line !== "partition_stopped") return false;
  return (plan.recreates && code === "SOURCE_CHANGED") || (plan.retention && code === "OFFSET_OUT_OF_RANGE");
}

function watchedHints(world: World, call: Call): DedupHints {
  const { scheduler, plan } = world;
  const hints = hintsBehind(world.hints, call, {
    isAway: () => scheduler.chance(plan.hints.away),
    isForgotten: () => scheduler.chance(plan.hints.forgets),
  });
  return {
    ...hints,
    remember(uids, signal) {
      world.claims.push(() => {
        const stored = new Set(world.outcomes.records().map(({ uid }) => uid));
        assert(
          uids.every((uid) => stored.has(uid)),
          () => "a uid is remembered that is not stored",
        );
      });
      return hints.remember(uids, signal);
    },
  };
}

function watchedLetters(world: World, call: Call): DeadLetters {
  const { letters } = world;
  const publish = (): void => undefined;
  const topicOf = memoryLetters({ name: deadLetterTopic, letters, consumer: "group", publish });
  return {
    ...topicOf,
    send: (sent, signal) =>
      call("letters.send", signal, () => {
        for (const letter of sent) world.claims.push(() => checkLetter(world.broker.partitions, letter));
        return topicOf.send(sent, signal);
      }),
  };
}
