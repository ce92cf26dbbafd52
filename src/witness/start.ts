/** Puts a witness together: its key, its memory, its server. A program of its own, so it opens its adapters itself. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { hasWitnessKey, openWitnessKey, type WitnessKey } from "../adapters/files/witness-key.ts";
import { openWitnessMemory } from "../adapters/witness-memory/sqlite.ts";
import { LastroError } from "../core/errors.ts";
import type { VerifierKey } from "../core/signed-note.ts";
import { verifyEd25519 } from "../lib/ed25519.ts";
import type { HostPort } from "../lib/env-values.ts";
import { sha256 } from "../lib/sha256.ts";
import type { Clock, Randomness } from "../ports/clock.ts";
import type { WitnessMemory } from "../ports/witness.ts";
import { serveWitness, type WitnessOptions } from "./serve.ts";

export type WitnessPlace = {
  /** Where it keeps what it has seen, and its key unless `keyFile` says otherwise. */
  readonly folder: string;
  readonly keyFile: string | undefined;
  /** Needed once, for its key to be made. */
  readonly name: string | undefined;
  readonly random: Randomness;
};

type OpenWitness = Disposable & { readonly key: WitnessKey; readonly memory: WitnessMemory };

/** The memory is made before the key: a key without memory has lost it, and would cosign a fork. */
export async function openWitness({ folder, keyFile, name, random }: WitnessPlace): Promise<OpenWitness> {
  const path = keyFile ?? join(folder, "witness-key.json");
  const memoryPath = join(folder, "witness-memory.db");
  if (!existsSync(memoryPath) && (await hasWitnessKey(path)))
    throw new LastroError(
      "CONFIG_INVALID",
      `the key ${path} has cosigned before, and what it saw is not at ${memoryPath}: restore that file, or begin again with another name and key`,
    );
  using opening = new DisposableStack();
  const memory = opening.use(openWitnessMemory(memoryPath));
  const key = await openWitnessKey({ path, name, random });
  const opened = opening.move();
  return { key, memory, [Symbol.dispose]: () => opened.dispose() };
}

export type StartWitness = WitnessPlace & {
  /** Keys of the logs it watches; a log's name is its origin. */
  readonly logs: readonly VerifierKey[];
  readonly address: HostPort;
  readonly now: Clock;
} & Pick<WitnessOptions, "reached" | "onFork">;

export type RunningWitness = AsyncDisposable & { readonly vkey: string; readonly url: string };

export async function startWitness(options: StartWitness): Promise<RunningWitness> {
  await using opening = new AsyncDisposableStack();
  const { key, memory } = opening.use(await openWitness(options));
  const server = opening.use(
    await serveWitness({
      ...options,
      key: key.key,
      sign: key.sign,
      memory,
      sha256,
      verify: verifyEd25519,
    }),
  );
  const opened = opening.move();
  return { vkey: key.vkey, url: server.url, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
