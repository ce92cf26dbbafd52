/** A process of a world that takes events in: the real consumer, between a broker, a store, hints and dead letters that fail. */
import type { LastroError } from "../../src/core/errors.ts";
import type { Uid } from "../../src/core/ids.ts";
import { newBreaker } from "../../src/ingest/breaker.ts";
import { consume } from "../../src/ingest/consume.ts";
import { headCache } from "../../src/ingest/head-cache.ts";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { openPace } from "../../src/ingest/pace.ts";
import type { DeadLetters } from "../../src/ports/dead-letters.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { Log } from "../../src/ports/log.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { silentLog, silentObserver, stationSettings } from "../support/intake.ts";
import type { Call } from "./calls.ts";
import { assert } from "./violation.ts";
import { clockOf, facesOf, fault, type Process, waysOf } from "./ways.ts";
import { checkLetter, type World } from "./world.ts";

export async function startIntake(world: World, life: Process): Promise<void> {
  const ways = waysOf(world, life);
  const { records, keys, state } = facesOf(world, ways.store);
  const { scheduler, random, broker } = world;
  const { lookupKey: lookup, ring } = world.keys;
  const now = clockOf(world, life);
  const consumer = consume(
    {
      records, state, random, now,
      hints: lossyHints(world, ways.hints),
      deadLetters: letterTopic(world, ways.letters),
      stations: { ...stationSettings, lookup, random, noteFault: () => fault(world, life, "a station threw") },
      dataKeys: dataKeys({ keys, ring, now, random }),
      heads: headCache(records, 1_000),
      idSources: watchIdSources(silentObserver, silentLog),
      pace: openPace(),
      limits: { batchSizeMax: 4, attemptsMax: 4, backoffMinMs: 100, backoffMaxMs: 5_000 },
      sleep: scheduler.sleepOf(life),
      observer: silentObserver,
      log: linesOf(world, life),
      source: broker.open(life, ways.source),
      breaker: newBreaker({ enabled: false, windowSize: 1, ratio: 1, producersMin: 1 }),
      eventsInWorkMax: 100,
      accept: async () => undefined,
      onCrash: ({ message }: LastroError) => fault(world, life, message),
    },
    new AbortController().signal,
  ); // biome-ignore format: one line a name
  await consumer.start();
}

/** Nothing that can happen in a world is a bug of ours, and nothing needs an operator. */
const linesOf = (world: World, life: Process): Log => ({
  ...silentLog,
  error(code, message, _, cause) {
    const { stack } = cause instanceof Error ? cause : { stack: undefined };
    fault(world, life, `${code}: ${message} ${stack ?? ""}`);
  },
});

function lossyHints(world: World, call: Call): DedupHints {
  const { remembered, scheduler } = world;
  const { away, forgets } = world.plan.hints;
  return {
    async known(uids, signal) {
      const answer = (): Set<Uid> | "unavailable" =>
        scheduler.chance(away)
          ? "unavailable"
          : new Set(uids.filter((uid) => remembered.has(uid) && !scheduler.chance(forgets)));
      return call("hints.known", signal, answer).catch(() => "unavailable" as const);
    },
    async remember(uids, signal) {
      world.claims.push(() => checkRemembered(world, uids));
      const keep = (): void => uids.forEach((uid) => void (scheduler.chance(away) || remembered.add(uid)));
      await call("hints.remember", signal, keep).catch(() => undefined);
    },
    isConnected: () => true,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function checkRemembered({ outcomes }: World, uids: readonly Uid[]): void {
  const stored = new Set(outcomes.records().map(({ uid }) => uid));
  assert(
    uids.every((uid) => stored.has(uid)),
    () => "a uid is remembered that is not stored",
  );
}

function letterTopic(world: World, call: Call): DeadLetters {
  const { letters } = world;
  return {
    send: (sent, signal) =>
      call("letters.send", signal, () => {
        for (const letter of sent) world.claims.push(() => checkLetter(world, letter));
        letters.push(...sent);
        return sent.map((_, at) => ({
          topic: "audit.dlq",
          partition: 0,
          offset: letters.length - sent.length + at,
        }));
      }),
    replay: async () => [],
    [Symbol.asyncDispose]: async () => undefined,
  };
}
