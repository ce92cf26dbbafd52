/** Signing and publishing, steps 7 and 8: only what the store's head says, only forward of what was signed, and after the witnesses were asked. */
import { equalHashes } from "../core/merkle.ts";
import type { CheckpointSigner, SignerState } from "../ports/checkpoint-signer.ts";
import type { LogHead, PublishedCheckpoint } from "../ports/log-store.ts";
import type { SequencerDeps } from "./deps.ts";
import { haltingAs, LogHalted } from "./halt.ts";
import { type SigningKey, signersOf } from "./signing-keys.ts";

export type Signing = {
  readonly origin: string;
  readonly signer: CheckpointSigner;
  readonly keys: readonly SigningKey[];
};

/** Signs the head unless it is published already with all its signatures. `verified` is what this pass recomputed; `rootAt` recomputes a smaller tree. */
export async function publishHead(
  deps: SequencerDeps,
  { origin, signer, keys }: Signing,
  verified: LogHead,
  rootAt: (size: number) => Promise<Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  // Read before the head, so that another instance that goes on meanwhile cannot look like a step back.
  const published = await deps.log.checkpoint("latest", signal);
  const signed = await signer.state();
  const head = await deps.log.head(signal);
  if (head === undefined || !isSame(head, verified)) return false;
  if (published !== undefined) assertForward(published, head);
  const by = signersOf(keys, head.size);
  if (by.length === 0)
    throw new LogHalted("KEY_UNKNOWN", `no key held here signs ${head.size} leaves of ${origin}`);
  if (published?.size === head.size && published.signatures >= by.length) return false;
  await assertRemembered(signed, { origin, ...head }, rootAt);
  const note = await haltingAs("ROLLED_BACK", () => signer.sign({ origin, ...head }, by)).catch(
    async (error: unknown) => {
      // Another instance with this signer may have moved the head and signed it meanwhile.
      const now = await deps.log.head(signal);
      if (error instanceof LogHalted && now !== undefined && now.size > head.size) return undefined;
      throw error;
    },
  );
  if (note === undefined) return false;
  await deps.reached("log_signed");
  const checkpoint = { ...head, note, signatures: by.length };
  await haltingAs("CHECKPOINT_DIFFERS", () => deps.log.publish("latest", checkpoint, signal));
  await deps.reached("log_published");
  return true;
}

const isSame = (a: LogHead, b: LogHead): boolean => a.size === b.size && equalHashes(a.root, b.root);

function assertForward(published: PublishedCheckpoint, head: LogHead): void {
  if (published.size > head.size)
    throw new LogHalted(
      "ROLLED_BACK",
      `the head counts ${head.size} leaves, a checkpoint of ${published.size} is published`,
    );
  if (published.size === head.size && !isSame(published, head))
    throw new LogHalted("CHECKPOINT_DIFFERS", `${head.size} leaves`);
}

/** The signer remembers outside the store what it signed; the store must hold that tree still. */
export async function assertRemembered(
  signed: SignerState | undefined,
  head: SignerState,
  rootAt: (size: number) => Promise<Uint8Array>,
): Promise<void> {
  if (signed === undefined) return;
  if (signed.origin !== head.origin)
    throw new LogHalted("ROLLED_BACK", `the store holds ${head.origin}, this signer signed ${signed.origin}`);
  if (signed.size > head.size)
    throw new LogHalted("ROLLED_BACK", `the store holds ${head.size} leaves, ${signed.size} were signed`);
  if (!equalHashes(await rootAt(signed.size), signed.root))
    throw new LogHalted(
      "ROLLED_BACK",
      `the store holds another tree of ${signed.size} leaves than was signed`,
    );
}

/** A witness that has seen more proves that the store went back. */
export function assertNotBehind(size: number, seen: readonly number[]): void {
  const largest = Math.max(0, ...seen);
  if (largest > size)
    throw new LogHalted("WITNESS_AHEAD", `the store holds ${size} leaves, a witness saw ${largest}`);
}
