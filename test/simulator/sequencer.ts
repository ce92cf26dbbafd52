/** A process of a world that extends the log: the real sequencer, between a store, a signing key, a witness and an anchor that fail. */
import { equalHashes } from "../../src/core/merkle.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { openCosigner } from "../../src/log/cosign.ts";
import { runAnchors } from "../../src/log/run-anchors.ts";
import { type LogState, runLog } from "../../src/log/run-log.ts";
import { runWitnesses, type WitnessRun } from "../../src/log/run-witnesses.ts";
import type { Anchor } from "../../src/ports/anchor.ts";
import type { CheckpointSigner } from "../../src/ports/checkpoint-signer.ts";
import type { Sleep } from "../../src/ports/clock.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { verifyNote } from "../support/ed25519.ts";
import { silentLog, silentObserver } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import { type Call, reached } from "./calls.ts";
import { assert } from "./violation.ts";
import { clockOf, facesOf, fault, waysOf } from "./ways.ts";
import { committedSize, type Process, type World } from "./world.ts";

/** Witnesses and anchors answer within the world's time. */
const timeoutMs = 2 ** 30;
const intervalMs = 1_000;

/** As the log's thread joins it. */
export function startSequencer(world: World, life: Process): void {
  const ways = waysOf(world, life);
  const { records, log } = facesOf(world, ways.store);
  const { random, scheduler } = world;
  const { signal } = life.stop;
  const now = clockOf(world, life);
  const sleep = scheduler.sleepOf(life);
  const joined = { now, sleep, observer: silentObserver, lines: silentLog };
  const witnesses = openWitness(world, log, ways.witness, sleep, signal);
  const run = runLog(
    {
      ...joined, records, log, random, sha256, intervalMs,
      openSigner: async (origin) => watchedSigner(world, world.signer.open(origin), ways.signer),
      witnessSizes: witnesses.sizes,
      onLease: witnesses.forget,
      logName: "test.local",
      limits: { batchMax: 12, heartbeatMs: 30_000, keyOverlapMs: 60_000 },
      reached: () => undefined,
      holder: life.name,
      rest: () => undefined,
      onState: (state) => noteState(world, life, state),
    },
    signal,
  ); // biome-ignore format: one line a name
  const isSequencing = (): boolean => run.state().kind === "sequencing";
  witnesses.start(isSequencing);
  const anchors = [watchedAnchor(world, life, ways.anchor)];
  if (world.plan.anchorAway !== undefined)
    void runAnchors({ ...joined, log, anchors, intervalMs, timeoutMs }, isSequencing, signal);
  void run.ended.then(() => {
    if (signal.aborted) scheduler.kill(life);
  });
}

const nobody: WitnessRun = { sizes: async () => [], forget: () => undefined, start: () => undefined };

function openWitness(
  { plan, witness }: World,
  log: LogStore,
  call: Call,
  sleep: Sleep,
  signal: AbortSignal,
): WitnessRun {
  if (plan.witnessAway === undefined) return nobody;
  const { vkey, key, addCheckpoint } = witness;
  const witnesses = [{ vkey, key, ...reached({ addCheckpoint }, "witness", call) }];
  const cosigner = openCosigner({ log, witnesses, quorum: 1, sha256, verify: verifyNote, timeoutMs });
  return runWitnesses({ cosigner, intervalMs, sleep, observer: silentObserver, lines: silentLog }, signal);
}

function watchedAnchor({ anchored, claims }: World, life: Process, call: Call): Anchor {
  const keep: Anchor["keep"] = async ({ size, root }) => {
    const kept = anchored.get(size) ?? root;
    anchored.set(size, kept);
    return equalHashes(kept, root) ? "kept" : "differs";
  };
  return {
    name: "memory",
    async keep(checkpoint, signal) {
      const verdict = await call("anchor.keep", signal, () => keep(checkpoint, signal));
      claims.push(() => assert(verdict === "kept", () => `${life.name}: the anchor has another tree`));
      return verdict;
    },
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
