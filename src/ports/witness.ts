/** Others who cosign checkpoints (C2SP tlog-witness): what an insider with the signing key cannot rewrite. */
import type { AddCheckpoint } from "../core/add-checkpoint.ts";

export type WitnessVerdict =
  /** Signature lines as the witness sent them; the caller accepts them only if they verify. */
  | { readonly kind: "cosigned"; readonly lines: readonly string[] }
  /** It has seen another size: ask again from there. */
  | { readonly kind: "at"; readonly size: number }
  | { readonly kind: "refused"; readonly status: number };

/** Contract. `addCheckpoint` ends at the signal; throws WITNESS_UNAVAILABLE when there is no answer. */
export type Witness = {
  /** C2SP verifier key of its cosignatures. */
  readonly vkey: string;
  addCheckpoint(request: AddCheckpoint, signal: AbortSignal): Promise<WitnessVerdict>;
};

/** The largest tree of a log that a witness has cosigned. */
export type SeenTree = { readonly size: number /** 32 bytes. */; readonly root: Uint8Array };

/** Contract. What a witness remembers of each log. `advance` is a compare-and-set among all processes on the same memory, and durable once it is true. */
export type WitnessMemory = {
  seen(origin: string): SeenTree | undefined;
  advance(origin: string, from: SeenTree | undefined, to: SeenTree): boolean;
};
