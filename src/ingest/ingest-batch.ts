/** The way of a batch, station by station, in the order of durability: append, own, dead letters, account, then the hints. */
import type { EnvelopeFlag } from "../core/event.ts";
import type { OutcomeCounts, RejectReason } from "../core/outcome.ts";
import type { BatchControl, SourceBatch } from "../ports/event-source.ts";
import type { BatchReport } from "../ports/observer.ts";
import type { AccountStep } from "../ports/record-store.ts";
import { accountStep, type SentLetters, sendDeadLetters } from "./account.ts";
import { appendVersions } from "./append-versions.ts";
import type { IntakeDeps } from "./deps.ts";
import type { Fate, Fates } from "./fate.ts";
import { keptOffsets } from "./kept.ts";
import { type Prepared, prepareBatch } from "./prepare.ts";
import { type Ledger, newLedger } from "./settle.ts";
import type { Candidate } from "./stations.ts";

/** `mark_lost`: somebody else accounts for the partition. `stale`: it was taken away; nothing was accounted. */
export type BatchEnd =
  | {
      readonly kind: "done";
      readonly report: BatchReport;
      readonly fates: Fates;
      readonly prepared: Prepared;
    }
  | { readonly kind: "mark_lost" }
  | { readonly kind: "stale" };

type Hints = BatchReport["hints"] & { readonly storeLookups: number };

const noLetters: SentLetters = new Map();

/** Works through a batch that begins at the partition's mark. Throws only infrastructure trouble; repeating it is harmless. */
export async function ingestBatch(
  deps: IntakeDeps,
  batch: SourceBatch,
  control: BatchControl,
): Promise<BatchEnd> {
  const startedMs = deps.now();
  deps.observer.reached("received");
  const prepared = await prepareBatch(deps, batch, control);
  deps.idSources.note(prepared.candidates);
  deps.observer.reached("prepared");
  const ledger = newLedger();
  const hints = await consultHints(deps, prepared.candidates, ledger, control);
  deps.observer.reached("hinted");

  const fates = new Map<number, Fate>();
  for (const { event, rejection, stage } of prepared.refused)
    fates.set(event.offset, { kind: "rejected", rejection, stage });
  for (const offset of await keptOffsets(deps, batch, prepared, control.signal))
    fates.set(offset, { kind: "stored", redelivered: true, recordedAtMs: undefined });
  const accountWith = (presumed: Fates): AccountStep | undefined =>
    accountStep(batch, presumed, noLetters, deps.now());
  const work = { candidates: prepared.candidates, ledger, fates, accountWith };
  const appended = await appendVersions(deps, work, control);
  if (appended === "mark_lost") return { kind: "mark_lost" };
  if (appended === "stale") return { kind: "stale" };
  deps.observer.reached("appended");

  if (appended === "unaccounted") {
    const letters = await sendDeadLetters(deps, batch, fates, control.signal);
    deps.observer.reached("lettered");
    const step = accountStep(batch, fates, letters, deps.now());
    if (step === undefined) throw new Error("a dead letter was not acknowledged");
    if ((await deps.records.account(step, control.signal)) === "mark_lost") return { kind: "mark_lost" };
  }
  deps.observer.reached("accounted");
  await rememberStored(deps, prepared.candidates, fates, control);
  deps.observer.reached("remembered");
  return { kind: "done", fates, prepared, report: reportOf(deps, batch, prepared, fates, hints, startedMs) };
}

/** ② A hit is confirmed in the store; without hints everything is looked up at once; "all unknown" costs nothing. */
async function consultHints(
  deps: IntakeDeps,
  candidates: readonly Candidate[],
  ledger: Ledger,
  control: BatchControl,
): Promise<Hints> {
  if (candidates.length === 0) return { hits: 0, misses: 0, unavailable: false, storeLookups: 0 };
  const uids = [...new Set(candidates.map(({ uid }) => uid))];
  const known = await deps.hints.known(uids, control.signal);
  const unavailable = known === "unavailable";
  const suspects = unavailable ? uids : uids.filter((uid) => known.has(uid));
  if (suspects.length > 0) {
    const rids = unavailable ? candidates.map(({ rid }) => rid) : [];
    ledger.note(await deps.records.find(rids, suspects, control.signal));
  }
  const hits = unavailable ? 0 : suspects.length;
  const misses = unavailable ? 0 : uids.length - hits;
  return { hits, misses, unavailable, storeLookups: suspects.length > 0 ? 1 : 0 };
}

const isInStore = (fate: Fate | undefined): boolean => fate?.kind === "stored" || fate?.kind === "duplicate";

async function rememberStored(
  deps: IntakeDeps,
  candidates: readonly Candidate[],
  fates: Fates,
  control: BatchControl,
): Promise<void> {
  const uids = candidates.filter(({ event }) => isInStore(fates.get(event.offset))).map(({ uid }) => uid);
  if (uids.length > 0) await deps.hints.remember(uids, control.signal);
}

function reportOf(
  deps: IntakeDeps,
  batch: SourceBatch,
  prepared: Prepared,
  fates: Fates,
  { storeLookups, ...hints }: Hints,
  startedMs: number,
): BatchReport {
  const counts: Record<keyof OutcomeCounts, number> = {
    stored: 0,
    duplicate: 0,
    conflict: 0,
    rejected: 0,
    gap: 0,
  };
  const rejections = new Map<RejectReason | "CONFLICT", number>();
  let redelivered = 0;
  for (const fate of fates.values()) {
    counts[fate.kind] += 1;
    if (fate.kind === "stored" && fate.redelivered) redelivered += 1;
    if (fate.kind === "rejected") increment(rejections, fate.rejection.reason);
    if (fate.kind === "conflict") increment(rejections, "CONFLICT");
  }
  counts.gap = batch.to - batch.from - fates.size;
  const flags = new Map<EnvelopeFlag, number>();
  for (const candidate of prepared.candidates) for (const flag of candidate.flags) increment(flags, flag);
  return {
    src: batch.src,
    partition: batch.partition,
    counts,
    redelivered,
    rejections,
    flags,
    unkeyed: batch.events.filter(({ key }) => key === null).length,
    hints,
    storeLookups,
    lag: Math.max(0, batch.logEnd - batch.to),
    durationMs: deps.now() - startedMs,
    delaysMs: delaysOf(prepared.candidates, fates, ({ event }) => event.timestampMs),
    eventDelaysMs: delaysOf(prepared.candidates, fates, ({ projection }) => projection.actionAtMs),
  };
}

const increment = <K>(counts: Map<K, number>, key: K): unknown => counts.set(key, (counts.get(key) ?? 0) + 1);

/** From that moment to recorded_at, of the batch's first and last record; a record without it (Kafka says −1) has none. */
function delaysOf(
  candidates: readonly Candidate[],
  fates: Fates,
  startMsOf: (candidate: Candidate) => number,
): readonly number[] {
  const delays = candidates.flatMap((candidate) => {
    const fate = fates.get(candidate.event.offset);
    const recordedAtMs = fate?.kind === "stored" ? fate.recordedAtMs : undefined;
    const startMs = startMsOf(candidate);
    return recordedAtMs === undefined || startMs < 0 ? [] : [recordedAtMs - startMs];
  });
  const [first, last] = [delays[0], delays.at(-1)];
  return first === undefined || last === undefined ? [] : [first, last];
}
