/** Judges candidates against what is known to be stored. Uid decides who is a duplicate, the fingerprint who is in conflict. */
import { LastroError } from "../core/errors.ts";
import type { Fingerprint, Rid, Uid } from "../core/ids.ts";
import type { Known } from "../ports/record-store.ts";
import type { Fate } from "./fate.ts";
import type { Candidate } from "./stations.ts";

type Original = { readonly rid: Rid; readonly fingerprint: Fingerprint };

/** What is stored, as far as this batch has learnt it: by look-ups and by its own appends. */
export type Ledger = {
  note(known: readonly Known[]): void;
  noteStored(candidate: Candidate): void;
  /** A stored record of the candidate's own rid. */
  recordOf(candidate: Candidate): Known | undefined;
  /** The candidate's fate if the store already decides it. Throws SOURCE_CHANGED when its rid is taken by another event. */
  fateOf(candidate: Candidate): Fate | undefined;
};

export function newLedger(): Ledger {
  const byRid = new Map<Rid, Known>();
  const byUid = new Map<Uid, Original>();
  return {
    note(known) {
      for (const row of known) {
        byRid.set(row.rid, row);
        byUid.set(row.uid, row);
      }
    },
    noteStored: (candidate) => byUid.set(candidate.uid, candidate),
    recordOf: (candidate) => byRid.get(candidate.rid),
    fateOf(candidate) {
      const own = byRid.get(candidate.rid);
      if (own !== undefined) {
        if (own.uid !== candidate.uid || own.fingerprint !== candidate.fingerprint)
          throw sourceChanged(candidate.rid);
        return { kind: "stored", redelivered: true, recordedAtMs: undefined };
      }
      return judge(candidate, byUid.get(candidate.uid));
    },
  };
}

function judge(candidate: Candidate, original: Original | undefined): Fate | undefined {
  if (original === undefined) return undefined;
  const kind = original.fingerprint === candidate.fingerprint ? "duplicate" : "conflict";
  return { kind, original: original.rid };
}

/** The first candidate of each uid, and the copies behind them with the fate they get once the first is stored. */
export function splitCopies(candidates: readonly Candidate[]): {
  readonly originals: readonly Candidate[];
  readonly copies: readonly { readonly candidate: Candidate; readonly fate: Fate }[];
} {
  const firsts = new Map<Uid, Candidate>();
  const originals: Candidate[] = [];
  const copies: { candidate: Candidate; fate: Fate }[] = [];
  for (const candidate of candidates) {
    const fate = judge(candidate, firsts.get(candidate.uid));
    if (fate !== undefined) copies.push({ candidate, fate });
    else {
      firsts.set(candidate.uid, candidate);
      originals.push(candidate);
    }
  }
  return { originals, copies };
}

const sourceChanged = (rid: Rid): LastroError =>
  new LastroError(
    "SOURCE_CHANGED",
    `the record at ${rid} was made from another event than the one Kafka now delivers there: the topic was restored or rewritten; compare it with the store, then skip the offsets or read a new topic`,
  );
