/** What a witness answers, decided from the request and from what it has seen: C2SP tlog-witness. Pure. */
import type { AddCheckpoint } from "../core/add-checkpoint.ts";
import { type Checkpoint, parseCheckpoint } from "../core/checkpoint.ts";
import { equalHashes, rootOf, type Sha256, verifyConsistency } from "../core/merkle.ts";
import { type Ed25519Verify, parseNote, type VerifierKey, verifiedSignature } from "../core/signed-note.ts";
import type { SeenTree } from "../ports/witness.ts";

export type Judgement =
  /** Cosign the text, once the tree is remembered. */
  | { readonly kind: "cosign"; readonly text: string; readonly checkpoint: Checkpoint }
  /** 400 no request, 403 no trusted signature, 404 unknown log, 409 another size or root was seen, 422 not consistent. */
  | { readonly kind: "refuse"; readonly status: 400 | 403 | 404 | 422; readonly why: string }
  | { readonly kind: "refuse"; readonly status: 409; readonly size: number; readonly isFork: boolean };

export type WitnessRules = {
  /** Keys of the logs it watches; a log's name is its origin. */
  readonly logs: readonly VerifierKey[];
  readonly sha256: Sha256;
  readonly verify: Ed25519Verify;
};

const refuse = (status: 400 | 403 | 404 | 422, why: string): Judgement => ({ kind: "refuse", status, why });

export function judgeCheckpoint(
  { logs, sha256, verify }: WitnessRules,
  { oldSize, proof, checkpoint: signed }: AddCheckpoint,
  seenOf: (origin: string) => SeenTree | undefined,
): Judgement {
  const note = parseNote(signed);
  const checkpoint = note && parseCheckpoint(note.text);
  if (note === undefined || checkpoint === undefined) return refuse(400, "this is no signed checkpoint");
  const keys = logs.filter(({ name }) => name === checkpoint.origin);
  if (keys.length === 0) return refuse(404, "this witness does not know the log");
  if (!keys.some((key) => verifiedSignature(note, key, verify) !== undefined))
    return refuse(403, "no signature of a key that this witness trusts");
  if (oldSize > checkpoint.size) return refuse(400, "the old size is larger than the checkpoint's");
  const seen = seenOf(checkpoint.origin) ?? { size: 0, root: rootOf(sha256, []) };
  const { size } = seen;
  if (oldSize !== size) return { kind: "refuse", status: 409, size, isFork: false };
  if (size === checkpoint.size && !equalHashes(seen.root, checkpoint.root))
    return { kind: "refuse", status: 409, size, isFork: true };
  const claim = { oldSize, oldRoot: seen.root, size: checkpoint.size, root: checkpoint.root, path: proof };
  const isConsistent = verifyConsistency(sha256, claim);
  return isConsistent
    ? { kind: "cosign", text: note.text, checkpoint }
    : refuse(422, "the proof does not lead from the tree that was seen to this one");
}
