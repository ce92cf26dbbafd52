/** Has the published checkpoint cosigned and publishes it as `witnessed` once enough witnesses did: FORMATS.md, step 8. Intake and sequencer never wait for it, but for the first answers after a start. */
import { consistencyPath, type Sha256 } from "../core/merkle.ts";
import { type Ed25519Verify, formatNote, type NoteSignature, parseNote } from "../core/signed-note.ts";
import type { LogStore, PublishedCheckpoint } from "../ports/log-store.ts";
import { type AskedWitness, askWitness, type WitnessAnswer } from "./ask-witness.ts";
import { haltingAs, LogHalted } from "./halt.ts";
import { treeReader } from "./tree-reader.ts";

export type CosignDeps = {
  readonly log: Pick<LogStore, "checkpoint" | "publish" | "tile" | "rows">;
  readonly witnesses: readonly AskedWitness[];
  /** Cosignatures that make a checkpoint witnessed. */
  readonly quorum: number;
  readonly sha256: Sha256;
  readonly verify: Ed25519Verify;
  /** A witness that has not answered by then counts as unavailable. */
  readonly timeoutMs: number;
};

export type CosignReport = {
  /** Leaves of the checkpoint that was asked about. */
  readonly size: number;
  readonly isWitnessed: boolean;
  /** By the name of the witness's key. */
  readonly answers: ReadonlyMap<string, WitnessAnswer>;
};

export type Cosigner = {
  /** Who has cosigned what is published is asked again only `anew`. Undefined while nothing is published. Halts when the store holds another witnessed tree of this size, or not what a proof takes; throws what the store throws. */
  pass(signal: AbortSignal, anew?: boolean): Promise<CosignReport | undefined>;
  /** What each witness is known to have seen, of those that have answered. */
  sizes(): readonly number[];
};

type Seen = {
  readonly size: number;
  /** What it cosigned last, if that was there: it is not asked for the same note again. */
  readonly cosigned?: { readonly note: string; readonly signature: NoteSignature };
};

export function openCosigner(deps: CosignDeps): Cosigner {
  const seen = new Map<AskedWitness, Seen>();
  return {
    sizes: () => [...seen.values()].map(({ size }) => size),
    async pass(signal, anew = false) {
      const latest = await deps.log.checkpoint("latest", signal);
      return latest && cosign(deps, seen, latest, anew, signal);
    },
  };
}

async function cosign(
  { log, witnesses, quorum, sha256, verify, timeoutMs }: CosignDeps,
  seen: Map<AskedWitness, Seen>,
  latest: PublishedCheckpoint,
  anew: boolean,
  signal: AbortSignal,
): Promise<CosignReport> {
  const { size, note } = latest;
  const read = parseNote(note);
  if (read === undefined) throw new LogHalted("CHECKPOINT_DIFFERS", `the checkpoint of ${size} is no note`);
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const path = (oldSize: number) => consistencyPath(sha256, oldSize, size, treeReader(log, sha256, signal));
  const proofs = new Map<number, Promise<readonly Uint8Array[]>>();
  const proofFrom = (oldSize: number): Promise<readonly Uint8Array[]> => {
    const proof = proofs.get(oldSize) ?? haltingAs("ROOT_MISMATCH", () => path(oldSize));
    proofs.set(oldSize, proof);
    return proof;
  };
  const signatures = [...read.signatures];
  const isWitnessed = (): boolean => signatures.length - read.signatures.length >= quorum;
  const answers = new Map<string, WitnessAnswer>();
  const ask = async (witness: AskedWitness): Promise<void> => {
    const known = seen.get(witness);
    const answer =
      !anew && known?.cosigned?.note === note
        ? ({ kind: "cosigned", signature: known.cosigned.signature } as const)
        : await askWitness({ verify, proofFrom }, witness, { size, note, read }, known?.size ?? 0, until);
    answers.set(witness.key.name, answer);
    remember(seen, witness, latest, answer);
    if (answer.kind !== "cosigned") return;
    signatures.push(answer.signature);
    if (!isWitnessed()) return;
    const cosigned = { ...latest, note: formatNote({ ...read, signatures }), signatures: signatures.length };
    await haltingAs("CHECKPOINT_DIFFERS", () => log.publish("witnessed", cosigned, signal));
  };
  await Promise.all(witnesses.map(ask));
  return { size, isWitnessed: isWitnessed(), answers };
}

function remember(
  seen: Map<AskedWitness, Seen>,
  witness: AskedWitness,
  { size, note }: PublishedCheckpoint,
  answer: WitnessAnswer,
): void {
  if (answer.kind === "cosigned")
    seen.set(witness, { size, cosigned: { note, signature: answer.signature } });
  else if (answer.kind === "ahead") seen.set(witness, { size: answer.size });
}
