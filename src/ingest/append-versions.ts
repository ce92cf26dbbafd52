/** ③ version, ④ seal, ⑤ append, ⑥ own: until every candidate of a batch has its fate. The unique indexes decide; nothing here does. */
import { LastroError } from "../core/errors.ts";
import { leafHash, recordEntry } from "../core/leaf.ts";
import { asLate } from "../core/projection.ts";
import type { RecordRow } from "../core/record.ts";
import { type Placement, placeVersions } from "../core/versions.ts";
import { backoffMs } from "../lib/backoff.ts";
import { sha256 } from "../lib/sha256.ts";
import type { BatchControl } from "../ports/event-source.ts";
import type { AccountStep, AppendVerdict, ChangePlace, Known } from "../ports/record-store.ts";
import { newAlias } from "../privacy/draw.ts";
import type { IntakeDeps } from "./deps.ts";
import type { Fate } from "./fate.ts";
import { followUpsOf, type StoredVersion } from "./follow-ups.ts";
import { type SealedBodies, sealCandidates } from "./seal-candidates.ts";
import { type Ledger, splitCopies } from "./settle.ts";
import type { Candidate } from "./stations.ts";

export type AppendWork = {
  readonly candidates: readonly Candidate[];
  readonly ledger: Ledger;
  /** Filled here. */
  readonly fates: Map<number, Fate>;
  /** The account step if these are the fates; undefined while dead letters have to be sent first. */
  readonly accountWith: (fates: ReadonlyMap<number, Fate>) => AccountStep | undefined;
};

export type AppendEnd = "accounted" | "unaccounted" | "mark_lost" | "stale";

type Round = {
  readonly rows: readonly RecordRow[];
  readonly placed: readonly { readonly candidate: Candidate; readonly placement: Placement }[];
  readonly copies: ReturnType<typeof splitCopies>["copies"];
};

export async function appendVersions(
  deps: IntakeDeps,
  work: AppendWork,
  control: BatchControl,
): Promise<AppendEnd> {
  const sealed: SealedBodies = new Map();
  const stored: StoredVersion[] = [];
  let rest = work.candidates;
  let idleRounds = 0;
  for (;;) {
    rest = settle(work, rest, stored);
    const round = await prepareRound(deps, work, rest, sealed, control);
    const isFirstTry = stored.length === 0;
    const account = isFirstTry ? work.accountWith(presumedFates(work.fates, round)) : undefined;
    if (control.isStale()) return "stale";
    const followUps = followUpsOf([...stored, ...versionsOf(round)]);
    const verdict = await deps.records.append({ records: round.rows, ...followUps, account }, control.signal);
    if (verdict.kind === "mark_lost") return "mark_lost";
    const storedNow = verdict.kind === "done" ? round.rows.length : verdict.at;
    noteStored(deps, work, round, storedNow, stored);
    if (verdict.kind === "done") {
      settle(work, rest, stored);
      if (!isFirstTry) await deps.records.repairActive(changePlaces(stored), control.signal);
      return account === undefined ? "unaccounted" : "accounted";
    }
    const progress = await resolveVerdict(deps, work, round, verdict, control);
    idleRounds = progress || storedNow > 0 ? 0 : idleRounds + 1;
    await waitAfter(deps, idleRounds, control);
  }
}

/** Rows of an earlier try may have been inserted inactive for a successor that was then not stored. */
const changePlaces = (stored: readonly StoredVersion[]): readonly ChangePlace[] =>
  stored
    .filter(({ candidate }) => candidate.kind === "change")
    .map(({ candidate: { stream }, version }) => ({ stream, version }));

/** Takes out the candidates whose fate the store already decides; those stored before still get their follow-ups. */
function settle(
  work: AppendWork,
  candidates: readonly Candidate[],
  stored: StoredVersion[],
): readonly Candidate[] {
  return candidates.filter((candidate) => {
    if (work.fates.has(candidate.event.offset)) return false;
    const fate = work.ledger.fateOf(candidate);
    if (fate === undefined) return true;
    work.fates.set(candidate.event.offset, fate);
    const own = work.ledger.recordOf(candidate);
    if (own !== undefined) stored.push(storedAs(own, candidate));
    return false;
  });
}

/** Where it lies, not where today's catalogue would put it: the ids that it would have there are not those of that stream. */
function storedAs({ stream, kind, version }: Known, candidate: Candidate): StoredVersion {
  if (stream === candidate.stream && kind === candidate.kind) return { candidate, version };
  const projection = { ...candidate.projection, candidateIds: [] };
  return { candidate: { ...candidate, stream, kind, projection }, version };
}

/** Whoever could not be sealed is rejected, and its first copy is the original. */
async function sealOriginals(
  deps: IntakeDeps,
  work: AppendWork,
  candidates: readonly Candidate[],
  sealed: SealedBodies,
  control: BatchControl,
): Promise<ReturnType<typeof splitCopies>> {
  for (let open = candidates; ; open = open.filter(({ event }) => !work.fates.has(event.offset))) {
    const split = splitCopies(open);
    const failed = await sealCandidates(deps, split.originals, sealed, control);
    if (failed.length === 0) return split;
    const rids = failed.map(({ candidate }) => candidate.rid);
    work.ledger.note(await deps.records.find(rids, [], control.signal));
    for (const { candidate, rejection } of failed) {
      const rejected = { kind: "rejected", rejection, stage: "internal" } as const;
      work.fates.set(candidate.event.offset, work.ledger.fateOf(candidate) ?? rejected);
    }
  }
}

async function prepareRound(
  deps: IntakeDeps,
  work: AppendWork,
  candidates: readonly Candidate[],
  sealed: SealedBodies,
  control: BatchControl,
): Promise<Round> {
  const { originals, copies } = await sealOriginals(deps, work, candidates, sealed, control);
  const streams = new Map(originals.map((candidate) => [candidate.key, candidate]));
  const heads = await deps.heads.read(streams, control.signal);
  const placeable = originals.map(({ key, action, projection: { actionAtMs } }) => ({
    key,
    action,
    actionAtMs,
  }));
  const placements = placeVersions(placeable, heads, deps.now(), () => newAlias(deps.random));
  const placed = originals.map((candidate, index) => ({
    candidate,
    placement: placements[index] as Placement,
  }));
  return {
    placed,
    copies,
    rows: placed.map(({ candidate, placement }) => rowOf(candidate, placement, sealed)),
  };
}

function rowOf(candidate: Candidate, placement: Placement, sealed: SealedBodies): RecordRow {
  const { rid, uid, fingerprint, stream, kind, action, ownership, projection } = candidate;
  const { version, alias, recordedAtMs, isActive, late } = placement;
  const body = sealed.get(rid);
  if (body === undefined) throw new LastroError("INTERNAL", `the event at ${rid} was not sealed`);
  const { tenant, producerService, eventType } = projection;
  const entry = recordEntry({
    rid, recordedAtMs, tenant, producerService, eventType, action, kind, alias, version, parts: body.parts,
  }); // biome-ignore format: one line a row
  if (entry === undefined)
    throw new LastroError("INTERNAL", `the leaf entry of ${rid} breaks its own limits`);
  return {
    rid, uid, fingerprint, stream, kind, version, alias, action, recordedAtMs, isActive, ownership, entry,
    kids: body.kids,
    leafHash: leafHash(sha256, entry),
    body: body.body,
    projection: late ? asLate(projection) : projection,
  }; // biome-ignore format: one line a row
}

const versionsOf = (round: Round): readonly StoredVersion[] =>
  round.placed.map(({ candidate, placement }) => ({ candidate, version: placement.version }));

function presumedFates(fates: ReadonlyMap<number, Fate>, round: Round): ReadonlyMap<number, Fate> {
  const presumed = new Map(fates);
  for (const { candidate, placement } of round.placed)
    presumed.set(candidate.event.offset, storedFate(placement));
  for (const { candidate, fate } of round.copies) presumed.set(candidate.event.offset, fate);
  return presumed;
}

const storedFate = ({ recordedAtMs }: Placement): Fate => ({
  kind: "stored",
  redelivered: false,
  recordedAtMs,
});

function noteStored(
  deps: IntakeDeps,
  work: AppendWork,
  round: Round,
  count: number,
  stored: StoredVersion[],
): void {
  for (const { candidate, placement } of round.placed.slice(0, count)) {
    work.fates.set(candidate.event.offset, storedFate(placement));
    work.ledger.noteStored(candidate);
    stored.push({ candidate, version: placement.version });
    deps.heads.set(candidate.key, placement);
  }
}

/** Learns why `rows[at]` did not go in. Returns whether anything was learnt that lets the next round do better. */
async function resolveVerdict(
  deps: IntakeDeps,
  work: AppendWork,
  round: Round,
  verdict: Extract<AppendVerdict, { at: number }>,
  control: BatchControl,
): Promise<boolean> {
  const open = [...round.placed.slice(verdict.at), ...round.copies].map(({ candidate }) => candidate);
  deps.heads.forget(open.map(({ key }) => key));
  if (verdict.kind === "refused") return refusedAlone(deps, work, round, verdict, control);
  const [rids, uids] = [open.map(({ rid }) => rid), open.map(({ uid }) => uid)];
  const known = await deps.records.find(rids, uids, control.signal);
  work.ledger.note(known);
  return known.length > 0;
}

/** What the store refuses for its content alone, while it takes other writes, is bad data. */
async function refusedAlone(
  deps: IntakeDeps,
  work: AppendWork,
  round: Round,
  verdict: Extract<AppendVerdict, { kind: "refused" }>,
  control: BatchControl,
): Promise<boolean> {
  const records = round.rows.slice(verdict.at, verdict.at + 1);
  const candidate = round.placed[verdict.at]?.candidate;
  const again = await deps.records.append(
    { records, deactivate: [], ownerships: [], aliases: [], account: undefined },
    control.signal,
  );
  if (again.kind !== "refused" || candidate === undefined) return true;
  await deps.records.probe(control.signal);
  const sentence = `The store refuses this event for what it holds: ${verdict.why}.`;
  const rejection = { reason: "STORE_REFUSED", pointer: "", sentence } as const;
  work.fates.set(candidate.event.offset, { kind: "rejected", rejection, stage: "store" });
  return true;
}

/** A clash that no look-up explains is a write of somebody that is not yet committed, or a race for a version. */
async function waitAfter(deps: IntakeDeps, idleRounds: number, control: BatchControl): Promise<void> {
  const { attemptsMax, backoffMinMs, backoffMaxMs } = deps.limits;
  if (idleRounds >= attemptsMax) {
    throw new LastroError(
      "VERSION_CONTENTION",
      `${attemptsMax} appends in a row lost against other writers; the partition waits and tries again`,
    );
  }
  await control.heartbeat();
  if (idleRounds > 1)
    await deps.sleep(backoffMs(idleRounds, backoffMinMs, backoffMaxMs, deps.random), control.signal);
}
