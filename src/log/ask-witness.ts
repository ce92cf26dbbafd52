/** Asks one witness to cosign a checkpoint, from the tree that it saw last: C2SP tlog-witness. What it answers counts only if it verifies. */
import { isTransient } from "../core/errors.ts";
import {
  type Ed25519Verify,
  type NoteSignature,
  parseSignatureLine,
  type SignedNote,
  type VerifierKey,
  verifiedSignature,
} from "../core/signed-note.ts";
import type { Witness } from "../ports/witness.ts";

export type WitnessAnswer =
  | { readonly kind: "cosigned"; readonly signature: NoteSignature }
  /** It has cosigned a larger tree of this log. */
  | { readonly kind: "ahead"; readonly size: number }
  /** Status of the protocol; 409: it knows another tree of this size; 200: what it answered does not verify. */
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "unavailable" };

export type AskedWitness = Witness & { readonly key: VerifierKey };
export type AskedCheckpoint = {
  readonly size: number;
  /** The signed note, as text and as it was read. */
  readonly note: string;
  readonly read: SignedNote;
};
export type Asking = {
  readonly verify: Ed25519Verify;
  /** RFC 6962 consistency proof from that size to the checkpoint's. */
  readonly proofFrom: (oldSize: number) => Promise<readonly Uint8Array[]>;
};

/** A witness that has seen another size is asked once more from there; one that changes its mind again is asked at the next pass. */
const asksMax = 2;

/** `from` is the size that this witness is thought to have seen. Throws what the store throws, and LOG_HALTED where the stored tree has gaps. */
export async function askWitness(
  deps: Asking,
  witness: AskedWitness,
  checkpoint: AskedCheckpoint,
  from: number,
  signal: AbortSignal,
): Promise<WitnessAnswer> {
  const { size, note } = checkpoint;
  let oldSize = Math.min(from, size);
  for (let asks = 0; asks < asksMax; asks++) {
    const proof = await deps.proofFrom(oldSize);
    const verdict = await verdictOf(witness, { oldSize, proof, checkpoint: note }, signal);
    if (verdict.kind === "cosigned") return cosignature(deps, witness.key, checkpoint.read, verdict.lines);
    if (verdict.kind !== "at") return verdict;
    if (verdict.size > size) return { kind: "ahead", size: verdict.size };
    if (verdict.size === oldSize) break;
    oldSize = verdict.size;
  }
  return { kind: "refused", status: 409 };
}

const unavailable = { kind: "unavailable" } as const;

function verdictOf(witness: AskedWitness, ...asked: Parameters<Witness["addCheckpoint"]>) {
  return witness.addCheckpoint(...asked).catch((error: unknown) => {
    if (isTransient(error)) return unavailable;
    throw error;
  });
}

function cosignature(
  { verify }: Asking,
  key: VerifierKey,
  { text }: SignedNote,
  lines: readonly string[],
): WitnessAnswer {
  const signatures = lines.map(parseSignatureLine).filter((line) => line !== undefined);
  const verified = verifiedSignature({ text, signatures }, key, verify);
  return verified === undefined
    ? { kind: "refused", status: 200 }
    : { kind: "cosigned", signature: verified.signature };
}
