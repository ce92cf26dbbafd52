/** A sequencer over a SQLite store in memory: records are put where intake would put them, time stands still unless moved, keys lie in a folder of their own. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openCheckpointSigner } from "../../src/adapters/files/checkpoint-signer.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import { parseVerifierKey, type VerifierKey } from "../../src/core/signed-note.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { SequencerDeps } from "../../src/log/deps.ts";
import { LogHalted } from "../../src/log/halt.ts";
import { newPassMemory, type PassMemory, type PassResult, sequencePass } from "../../src/log/sequence.ts";
import type { LogPoint } from "../../src/ports/observer.ts";
import type { Store } from "../../src/ports/store.ts";
import { type Scene, startMs } from "./records.ts";
import { temporaryFolder } from "./sqlite.ts";

export const never = new AbortController().signal;

export type LogWorld = AsyncDisposable & {
  readonly store: Store;
  readonly deps: SequencerDeps;
  readonly keyFile: string;
  readonly notes: string[];
  nowMs: number;
  /** Those that its checkpoints are signed with. */
  logKeys(): Promise<readonly VerifierKey[]>;
  /** Accounts for the next offsets of the scene's partition, in one step. */
  intake(scene: Scene, fates: string): Promise<void>;
  /** One pass of a sequencer that has just started, or of the one whose memory is given. */
  pass(over?: Partial<SequencerDeps>, memory?: PassMemory): Promise<PassResult>;
  /** Passes until nothing is left to do. */
  drain(over?: Partial<SequencerDeps>): Promise<void>;
};

export type LogWorldOptions = {
  readonly batchMax?: number;
  readonly store?: Store;
  readonly folder?: string;
};

export async function openLogWorld(options: LogWorldOptions = {}): Promise<LogWorld> {
  const folder = temporaryFolder();
  const store = options.store ?? (await openSqliteStore({ path: ":memory:" }));
  const keyFile = join(options.folder ?? folder.path, "log-key.json");
  const random = (bytes: number): Uint8Array => randomBytes(bytes);
  const openSigner = await openCheckpointSigner({ path: keyFile, create: true, random });
  const notes: string[] = [];
  const time = { nowMs: startMs };
  const deps: SequencerDeps = {
    log: store.log,
    records: store.records,
    openSigner,
    witnessSizes: async () => [],
    logName: "test.local",
    sha256,
    limits: { batchMax: options.batchMax ?? 2_000, heartbeatMs: 30_000, keyOverlapMs: 60_000 },
    now: () => world.nowMs,
    random,
    reached: () => undefined,
  };
  const world: LogWorld = Object.assign(time, {
    store,
    deps,
    keyFile,
    notes,
    async logKeys() {
      const origin = notes[0]?.split("\n")[0] ?? "";
      const { vkeys } = await openSigner(origin);
      return vkeys.map((vkey) => parseVerifierKey(sha256, vkey)).filter((key) => key !== undefined);
    },
    intake: (scene: Scene, fates: string) => accountFor(store, scene, fates),
    async pass(over: Partial<SequencerDeps> = {}, memory = newPassMemory()) {
      const result = await sequencePass({ ...deps, ...over }, memory, never);
      const note = (await store.log.checkpoint("latest", never))?.note;
      if (note !== undefined && note !== notes.at(-1)) notes.push(note);
      return result;
    },
    async drain(over: Partial<SequencerDeps> = {}) {
      const memory = newPassMemory();
      for (;;) {
        const result = await world.pass(over, memory);
        if (result.kind === "done" && result.lag === 0) return;
      }
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  });
  return world;
}

/** The next offsets of the scene's partition as intake accounts for them: a letter each, (s)tored, (d)uplicate, (c)onflict, (r)ejected, (g)ap. */
export async function accountFor(store: Store, scene: Scene, fates: string): Promise<void> {
  const from = (await store.records.mark(scene.src, never)) ?? 0;
  const at = [...fates].map((fate, index) => ({ fate, offset: from + index }));
  const records = at
    .filter(({ fate }) => fate === "s")
    .map(({ offset }) => scene.record({ offset, entity: `e${offset}`, version: 1 }));
  const outcomes = at.flatMap(({ fate, offset }): OutcomeRow[] => {
    if (fate === "d") return [scene.duplicate(offset)];
    if (fate === "c") return [scene.conflict(offset)];
    if (fate === "r") return [scene.rejected(offset)];
    return fate === "g" ? [scene.gap(offset, offset + 1)] : [];
  });
  const account = scene.step(from, from + fates.length, outcomes);
  const verdict = await store.records.append(scene.batch({ records, account }), never);
  if (verdict.kind !== "done") throw new Error(`intake: ${JSON.stringify(verdict)}`);
}

/** The reason for which the pass halted; fails when it did not. */
export async function haltOf(pass: Promise<unknown>): Promise<LogHalted["halt"]> {
  try {
    await pass;
  } catch (error) {
    if (error instanceof LogHalted) return error.halt;
    throw error;
  }
  throw new Error("the pass did not halt");
}

/** Ends or holds a pass at a step. */
export const at =
  (point: LogPoint, act: () => void | Promise<void>) =>
  (reached: LogPoint): void | Promise<void> =>
    reached === point ? act() : undefined;
