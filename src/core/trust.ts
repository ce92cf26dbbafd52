/** On what a checkpoint is believed: the log's keys, a checkpoint that was kept, witnesses, anchors. Decides nothing that was not given to it. */
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import type { Basis, Finding, FindingCode, Report } from "./findings.ts";
import { equalHashes, type Sha256 } from "./merkle.ts";
import {
  type Ed25519Verify,
  parseNote,
  parseVerifierKey,
  type SignedNote,
  type VerifierKey,
  verifiedSignature,
} from "./signed-note.ts";

export type VerifyCrypto = { readonly sha256: Sha256; readonly verify: Ed25519Verify };

/** What came of verifying the time stamp of an anchored note, and when its authority says that the note was there. */
export type TimeStampVerdict =
  | { readonly kind: "valid"; readonly atMs: number }
  | { readonly kind: "invalid"; readonly why: string }
  | { readonly kind: "missing" };

/** A note that an anchor gave back. `stamp` where its time stamp was asked for. */
export type Anchored = { readonly note: string; readonly stamp?: TimeStampVerdict };

export type Trust = {
  /** Verifier keys of the log that the verifier holds by itself; none: those that the log's own entries name. */
  readonly vkeys: readonly string[];
  /** The note of a checkpoint that the verifier kept. */
  readonly pin: string | undefined;
  readonly witnesses: { readonly vkeys: readonly string[]; readonly k: number };
  readonly anchored: readonly Anchored[];
};
export const noTrust: Trust = { vkeys: [], pin: undefined, witnesses: { vkeys: [], k: 0 }, anchored: [] };

/** A checkpoint whose root the tree must have at its size. */
export type TrustedCheckpoint = Checkpoint & {
  readonly why: "pinned" | "anchored";
  readonly atMs?: number;
};

export type OpenedCheckpoint = { readonly note: SignedNote; readonly checkpoint: Checkpoint };

export function openCheckpoint(note: string): OpenedCheckpoint | undefined {
  const signed = parseNote(note);
  const checkpoint = signed && parseCheckpoint(signed.text);
  return signed && checkpoint && { note: signed, checkpoint };
}

/** What the verifier kept itself; what cannot be read of it is a finding. */
export function trustedCheckpoints(trust: Trust, report: Report): readonly TrustedCheckpoint[] {
  type Given = Anchored & { readonly why: TrustedCheckpoint["why"] };
  const given: readonly Given[] = [
    ...(trust.pin === undefined ? [] : [{ note: trust.pin, why: "pinned" as const }]),
    ...trust.anchored.map((anchored) => ({ ...anchored, why: "anchored" as const })),
  ];
  return given.flatMap(({ note, why, stamp }): readonly TrustedCheckpoint[] => {
    const checkpoint = openCheckpoint(note)?.checkpoint;
    const unfit = (code: FindingCode, detail: string): readonly TrustedCheckpoint[] => {
      report({ code, object: { kind: "checkpoint", name: why, size: checkpoint?.size }, detail });
      return [];
    };
    if (checkpoint === undefined)
      return unfit("INPUT_INVALID", `the ${why} checkpoint is no signed checkpoint`);
    if (stamp === undefined) return [{ ...checkpoint, why }];
    if (stamp.kind === "invalid") return unfit("INPUT_INVALID", `its time stamp: ${stamp.why}`);
    if (stamp.kind === "missing") return unfit("INPUT_MISSING", "no time stamp lies beside it");
    return [{ ...checkpoint, why, atMs: stamp.atMs }];
  });
}

/** Whether a key of the log signed it; tells so, too. `own`: the keys that the log's entries name, if they were read. */
export function checkSignature(
  crypto: VerifyCrypto,
  { note, checkpoint }: OpenedCheckpoint,
  name: string,
  keys: { readonly given: readonly string[]; readonly own: readonly string[] },
  report: Report,
): boolean {
  const object: Finding["object"] = { kind: "checkpoint", name, size: checkpoint.size };
  const texts = keys.given.length > 0 ? keys.given : keys.own;
  const parsed = texts.map((text) => parseVerifierKey(crypto.sha256, text));
  if (parsed.includes(undefined))
    report({
      code: "INPUT_INVALID",
      object: { kind: "input" },
      detail: "a verifier key of the log has another form",
    });
  if (texts.length === 0) {
    report({ code: "KEY_UNKNOWN", object, detail: "no verifier key was given of those that signed it" });
    return false;
  }
  const signed = isSignedBy(crypto, { note, checkpoint }, parsed);
  if (!signed) report({ code: "SIGNATURE_INVALID", object, detail: "no key of the log signed it" });
  return signed;
}

const isSignedBy = (
  { verify }: VerifyCrypto,
  { note, checkpoint }: OpenedCheckpoint,
  keys: readonly (VerifierKey | undefined)[],
): boolean =>
  keys.some((key) => key?.name === checkpoint.origin && verifiedSignature(note, key, verify) !== undefined);

/**
 * Who holds no key of the log has the keys from whoever gives the rest, who may name one of his own. A kept checkpoint commits to those that the
 * entries below it name: what reaches beyond it is believed only if one of these signed it. `keysBelow`: those named below a size.
 */
export function checkContinued(
  { sha256, verify }: VerifyCrypto,
  opened: OpenedCheckpoint,
  name: string,
  confirmed: readonly Basis[],
  keysBelow: (size: number) => readonly string[],
  report: Report,
): void {
  const { size } = opened.checkpoint;
  const kept = Math.max(...confirmed.map((basis) => ("size" in basis ? basis.size : -1)), -1);
  if (kept < 0 || size <= kept) return;
  const keys = keysBelow(kept).map((text) => parseVerifierKey(sha256, text));
  if (isSignedBy({ sha256, verify }, opened, keys)) return;
  report({
    code: "KEY_UNKNOWN",
    object: { kind: "checkpoint", name, size },
    detail:
      `none of the keys that are shown to be named below the checkpoint of size ${kept} that you kept signed it, so a stranger may have; if the log's key was ` +
      "rotated since, or the bundle is of an older release, have the operator tell you the verifier key by another way than this log, and give it (--vkey)",
  });
}

/** How many of the witnesses' cosignatures verify, each key once. One of theirs that does not verify is a fault. */
export function countCosignatures(
  crypto: VerifyCrypto,
  { note, checkpoint }: OpenedCheckpoint,
  name: string,
  vkeys: readonly string[],
  report: Report,
): number {
  let valid = 0;
  for (const text of new Set(vkeys)) {
    const key = parseVerifierKey(crypto.sha256, text);
    if (key === undefined) {
      const detail = "a verifier key of a witness has another form";
      report({ code: "INPUT_INVALID", object: { kind: "input" }, detail });
    } else if (verifiedSignature(note, key, crypto.verify) !== undefined) valid += 1;
    else if (note.signatures.some((signature) => signature.name === key.name && signature.id === key.id)) {
      const object: Finding["object"] = { kind: "checkpoint", name, size: checkpoint.size };
      report({
        code: "COSIGNATURE_INVALID",
        object,
        detail: `the cosignature of ${key.name} does not verify`,
      });
    }
  }
  return valid;
}

/** What the cosignatures of a checkpoint that the tree has confirmed are good for. `valid`: the most that one of them carries. */
export function witnessedBasis(
  valid: number,
  k: number,
  object: Finding["object"],
  report: Report,
): readonly Basis[] {
  if (k === 0) return [];
  if (valid >= k) return [{ kind: "witnessed", k: valid }];
  report({
    code: "WITNESSES_MISSING",
    object,
    detail: `${valid} of ${k} witnesses cosigned what this tree confirms`,
  });
  return [];
}

/** Compares the tree with what the verifier kept, where its root at that size is known; tells what was thereby confirmed: of each kind the largest. */
export function checkTrusted(
  trusted: readonly TrustedCheckpoint[],
  origin: string | undefined,
  rootAt: (size: number) => Uint8Array | undefined,
  report: Report,
): readonly Basis[] {
  const confirmed = new Map<TrustedCheckpoint["why"], TrustedCheckpoint>();
  for (const checkpoint of trusted) {
    const { why, size, root, origin: named } = checkpoint;
    const object: Finding["object"] = { kind: "checkpoint", name: why, size };
    const found = rootAt(size);
    if (origin !== undefined && named !== origin)
      report({
        code: "TREE_REWRITTEN",
        object,
        detail: `the ${why} checkpoint is of ${named}, and this log is ${origin}`,
      });
    else if (found === undefined)
      report({
        code: "PIN_UNREACHED",
        object,
        detail: `nothing given leads from the ${why} checkpoint to this tree`,
      });
    else if (!equalHashes(found, root))
      report({
        code: "TREE_REWRITTEN",
        object,
        detail: `the tree has another root at the size of the ${why} checkpoint`,
      });
    else if (size > (confirmed.get(why)?.size ?? -1)) confirmed.set(why, checkpoint);
  }
  return [...confirmed.values()].map(({ why, size, atMs }) =>
    why === "pinned" ? { kind: why, size } : { kind: why, size, ...(atMs !== undefined && { atMs }) },
  );
}
