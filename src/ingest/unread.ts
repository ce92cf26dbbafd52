/** Offsets that nobody will read any more, because retention took them or an operator skips them. What a process stored of them before it died keeps its record; the rest is a gap. */
import { ridOf, type Src } from "../core/ids.ts";
import type { GapCause, OutcomeRow } from "../core/outcome.ts";
import type { Clock } from "../ports/clock.ts";
import type { LogStore } from "../ports/log-store.ts";
import type { RecordStore } from "../ports/record-store.ts";

export type UnreadDeps = {
  readonly records: Pick<RecordStore, "account" | "find" | "repairActive">;
  readonly recordsOf: LogStore["loggable"];
  readonly now: Clock;
};

type Range = { readonly src: Src; readonly from: number; readonly to: number };

const recordsPerRead = 1_000;

export async function accountUnread(
  { records, recordsOf, now }: UnreadDeps,
  { src, from, to }: Range,
  cause: GapCause,
  signal: AbortSignal,
): Promise<"done" | "mark_lost"> {
  const outcomes: OutcomeRow[] = [];
  let next = from;
  for (let isLast = false; !isLast; ) {
    const stored = await recordsOf(src, next, to, recordsPerRead, signal);
    isLast = stored.length < recordsPerRead;
    for (const { offset } of stored) {
      if (offset > next) outcomes.push({ kind: "gap", from: next, to: offset, cause });
      next = offset + 1;
    }
    await repair(
      records,
      src,
      stored.map(({ offset }) => offset),
      signal,
    );
  }
  if (to > next) outcomes.push({ kind: "gap", from: next, to, cause });
  return records.account({ src, from, to, atMs: now(), outcomes }, signal);
}

/** No redelivery will do it. */
async function repair(
  records: UnreadDeps["records"],
  src: Src,
  offsets: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  if (offsets.length === 0) return;
  const known = await records.find(
    offsets.map((offset) => ridOf(src, offset)),
    [],
    signal,
  );
  const streams = known.filter(({ kind }) => kind === "change").map(({ stream }) => stream);
  await records.repairActive([...new Set(streams)], signal);
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
