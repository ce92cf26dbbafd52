/** Offsets that nobody will read any more: retention took them, an operator skips them, or took another incarnation of the topic. What a process stored of them before it died keeps its record; the rest is a gap. */
import { type Src, srcOf, type TopicId } from "../core/ids.ts";
import type { GapCause, OutcomeRow } from "../core/outcome.ts";
import type { AuditedRecord, AuditReader } from "../ports/audit-reader.ts";
import type { Clock } from "../ports/clock.ts";
import type { AccountStep, RecordStore } from "../ports/record-store.ts";
import type { IntakeDeps } from "./deps.ts";
import { followUpsOf, storedVersionOf } from "./follow-ups.ts";
import type { HeldPartition } from "./partitions.ts";
import type { StationSettings } from "./stations.ts";

export type UnreadDeps = {
  readonly records: Pick<RecordStore, "account" | "append" | "mark" | "repairActive">;
  readonly recordsOf: AuditReader["records"];
  readonly stations: Pick<StationSettings, "catalogue" | "lookup">;
  readonly now: Clock;
};

type Range = { readonly src: Src; readonly from: number; readonly to: number };

const recordsPerRead = 1_000;

/** For so long a write that failed may still arrive in the store. */
const lateWriteMs = 5_000;

/**
 * Waits until what was written of a partition that is not read is seen by readers, also what was told to have failed: a cut connection, or a
 * majority that did not answer in time, leaves writes that arrive or become durable later.
 */
export async function settled(
  { records, sleep }: Pick<IntakeDeps, "sleep"> & { readonly records: Pick<RecordStore, "probe"> },
  { failures }: Pick<HeldPartition, "failures">,
  signal: AbortSignal,
): Promise<void> {
  if (failures > 0) await sleep(lateWriteMs, signal);
  // A write is durable once those before it are.
  await records.probe(signal);
}

export async function accountUnread(
  deps: UnreadDeps,
  range: Range,
  cause: GapCause,
  signal: AbortSignal,
): Promise<"done" | "mark_lost"> {
  return deps.records.account(await unreadStep(deps, range, cause, signal), signal);
}

/** The step that accounts for the range. What stored records in it entail is done. */
export async function unreadStep(
  deps: UnreadDeps,
  { src, from, to }: Range,
  cause: GapCause,
  signal: AbortSignal,
): Promise<AccountStep> {
  const outcomes: OutcomeRow[] = [];
  let next = from;
  for await (const stored of recordPages(deps, { src, from, to }, signal)) {
    for (const { offset } of stored) {
      if (offset > next) outcomes.push({ kind: "gap", from: next, to: offset, cause });
      next = offset + 1;
    }
    await followUp(deps, stored, signal);
  }
  if (to > next) outcomes.push({ kind: "gap", from: next, to, cause });
  return { src, from, to, atMs: deps.now(), outcomes };
}

/** The records of a range of offsets, in their order. */
export async function* recordPages(
  { recordsOf }: Pick<UnreadDeps, "recordsOf">,
  { src, from, to }: Range,
  signal: AbortSignal,
): AsyncGenerator<readonly AuditedRecord[]> {
  for (let next = from; next < to; ) {
    const page = await recordsOf(src, next, to, recordsPerRead, signal);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    next = last.offset + 1;
  }
}

/** What stored records entail, where no redelivery will do it. */
export async function followUp(
  { records, stations }: Pick<UnreadDeps, "records" | "stations">,
  stored: readonly AuditedRecord[],
  signal: AbortSignal,
): Promise<void> {
  const rows = stored.flatMap(({ row }) => (row === undefined ? [] : [row]));
  const followUps = followUpsOf(rows.map((row) => storedVersionOf(row, stations)));
  await records.append({ records: [], ...followUps, account: undefined }, signal);
  const changes = rows.filter(({ kind }) => kind === "change");
  const places = changes.map(({ stream, version }) => ({ stream, version }));
  await records.repairActive(places, signal);
}

/**
 * Accounts for what was stored of a partition of incarnations that the operator has given up, up to the last record. Of one batch its writer
 * stores nothing below that: whatever of it arrives later is accounted for when the partition is opened again.
 */
export async function accountEarlier(
  deps: UnreadDeps,
  incarnations: readonly TopicId[],
  partition: number,
  signal: AbortSignal,
): Promise<"done" | "mark_lost"> {
  for (const topicId of incarnations) {
    const src = srcOf(topicId, partition);
    for (;;) {
      const from = (await deps.records.mark(src, signal)) ?? 0;
      const left = await deps.recordsOf(src, from, Number.MAX_SAFE_INTEGER, recordsPerRead, signal);
      const last = left.at(-1);
      if (last === undefined) break;
      const range = { src, from, to: last.offset + 1 };
      if ((await accountUnread(deps, range, "skipped", signal)) === "mark_lost") return "mark_lost";
    }
  }
  return "done";
}

/** Where accounting begins that has no mark yet: the partition's start, or what was stored before it. */
export async function beginOf(
  { recordsOf }: Pick<UnreadDeps, "recordsOf">,
  src: Src,
  logStart: number,
  signal: AbortSignal,
): Promise<number> {
  if (logStart === 0) return 0;
  const [first] = await recordsOf(src, 0, logStart, 1, signal);
  return first?.offset ?? logStart;
}
