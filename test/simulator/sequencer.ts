/** A process of a world that extends the log: the real sequencer, between a store, a signing key and a witness that fail. */
import { sha256 } from "../../src/lib/sha256.ts";
import type { AskedWitness } from "../../src/log/ask-witness.ts";
import { openCosigner } from "../../src/log/cosign.ts";
import type { SequencerDeps } from "../../src/log/deps.ts";
import { type LogState, runLog } from "../../src/log/run-log.ts";
import type { CheckpointSigner } from "../../src/ports/checkpoint-signer.ts";
import type { LogStore } from "../../src/ports/log-store.ts";
import { verifyNote } from "../support/ed25519.ts";
import { silentLog, silentObserver } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import type { Call } from "./calls.ts";
import { clockOf, facesOf, fault, type Process, waysOf } from "./ways.ts";
import { committedSize, type World } from "./world.ts";

/** A witness answers within the world's time. */
const timeoutMs = 2 ** 30;

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
