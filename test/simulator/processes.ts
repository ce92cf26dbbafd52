/** The processes of a world: real intake and real sequencers, with the world's faults between them and everything outside. */
import type { LastroError } from "../../src/core/errors.ts";
import type { Uid } from "../../src/core/ids.ts";
import { newBreaker } from "../../src/ingest/breaker.ts";
import { consume } from "../../src/ingest/consume.ts";
import { headCache } from "../../src/ingest/head-cache.ts";
import { watchIdSources } from "../../src/ingest/id-sources.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { AskedWitness } from "../../src/log/ask-witness.ts";
import { openCosigner } from "../../src/log/cosign.ts";
import type { SequencerDeps } from "../../src/log/deps.ts";
import { type LogState, runLog } from "../../src/log/run-log.ts";
import type { CheckpointSigner } from "../../src/ports/checkpoint-signer.ts";
import type { DeadLetters } from "../../src/ports/dead-letters.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { Log } from "../../src/ports/log.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { verifyNote } from "../support/ed25519.ts";
import { nowMs, silentLog, silentObserver, stationSettings } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import { type Call, callBy, noFaults, reached, stepwiseLog, stepwiseRecords } from "./calls.ts";
import { assert } from "./violation.ts";
import { checkLetter, committedSize, type World } from "./world.ts";

/** A witness answers within the world's time. */
const timeoutMs = 2 ** 30;
type Process = World["lives"][number];

const effects = /\.(append|account|repairActive|moveHead|putTile|publish|queueControl)$/;

/** What the process calls, by whom it is answered. */
function waysOf(world: World, life: Process) {
  const { scheduler, written } = world;
  const onEffect = (label: string): void => {
    if (effects.test(label)) written.add(label.startsWith("log.") ? "log" : "records");
  };
  const way = { scheduler, life, faults: () => world.faults, onEffect };
  return {
    store: callBy({ ...way, code: "STORE_UNAVAILABLE" }),
    source: callBy({ ...way, code: "SOURCE_UNAVAILABLE" }),
    letters: callBy({ ...way, code: "DEAD_LETTERS_UNAVAILABLE" }),
    hints: callBy({ ...way, faults: () => noFaults, code: "INTERNAL" }),
    witness: callBy({ ...way, code: "WITNESS_UNAVAILABLE" }),
    signer: callBy({ ...way, faults: () => noFaults, code: "INTERNAL" }),
  };
}

function facesOf({ place, plan }: World, call: Call) {
  const records = reached(place.store.records, "records", call);
  const log = reached(place.store.log, "log", call);
  return {
    records: plan.isStepwise ? stepwiseRecords(records) : records,
    log: {
      ...(plan.isStepwise ? stepwiseLog(log) : log),
      ...(plan.isLeaseFree && { lease: async () => true }),
    },
    keys: reached(place.store.keys, "keys", call),
    state: reached(place.store.state, "state", call),
  };
}

const clockOf =
  ({ scheduler }: World, life: Process) =>
  (): number =>
    nowMs + scheduler.elapsedMs() + life.skewMs;

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

const fault = (world: World, life: Process, what: string): void =>
  void world.claims.push(() => assert(false, () => `${life.name}: ${what}`));

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

export function startSequencer(world: World, life: Process): void {
  const ways = waysOf(world, life);
  const { records, log } = facesOf(world, ways.store);
  const { random, scheduler } = world;
  runLog(
    {
      records, log, random, sha256,
      openSigner: async (origin) => watchedSigner(world, world.signer.open(origin), ways.signer),
      witnessSizes: witnessSizes(world, log, ways.witness),
      logName: "test.local",
      limits: { batchMax: 12, heartbeatMs: 30_000, keyOverlapMs: 60_000 },
      now: clockOf(world, life),
      reached: () => undefined,
      intervalMs: 1_000,
      holder: life.name,
      sleep: scheduler.sleepOf(life),
      observer: silentObserver,
      lines: silentLog,
      rest: () => undefined,
      onState: (state) => noteState(world, life, state),
    },
    new AbortController().signal,
  ); // biome-ignore format: one line a name
}

/** Asks the witness before each pass: what it has seen tells an older store. */
function witnessSizes({ plan, witness }: World, log: LogStore, call: Call): SequencerDeps["witnessSizes"] {
  if (!plan.isWitnessed) return async () => [];
  const { vkey, key } = witness;
  const asked: AskedWitness = {
    vkey,
    key,
    addCheckpoint: (request, signal) =>
      call("witness.addCheckpoint", signal, () => witness.addCheckpoint(request, signal)),
  };
  const cosigner = openCosigner({
    log,
    witnesses: [asked],
    quorum: 1,
    sha256,
    verify: verifyNote,
    timeoutMs,
  });
  return async () => {
    await cosigner.pass(never);
    return cosigner.sizes();
  };
}

const watchedSigner = (world: World, signer: CheckpointSigner, call: Call): CheckpointSigner => ({
  ...signer,
  state: () => call("signer.state", never, () => signer.state()),
  sign: (checkpoint, vkeys) =>
    call("signer.sign", never, async () => {
      const note = await signer.sign(checkpoint, vkeys);
      world.claims.push(() => world.tree.signs(checkpoint.size, checkpoint.root));
      return note;
    }),
});

/** The log halts when the store is older than what was signed, and never otherwise. */
function noteState(world: World, life: Process, state: LogState): void {
  if (state.kind === "waiting" && state.code === "INTERNAL") fault(world, life, state.sentence);
  if (state.kind !== "halted") return;
  const isOlder = committedSize(world) > world.tree.size();
  if (!isOlder) fault(world, life, `halted: ${state.halt.reason}, ${state.halt.where}`);
  world.halt = state.halt;
}
