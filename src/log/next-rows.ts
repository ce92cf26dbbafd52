/** Steps 2 to 4, as rows: the open run's source first, then sources ascending, then control entries. Derived from the store, within one batch. */
import type { LogRow } from "../ports/log-store.ts";
import { controlRow, heartbeat, isHeartbeatDue, pendingControls } from "./controls.ts";
import type { SequencerDeps } from "./deps.ts";
import { coverSource, loggedOffset, type Source } from "./gather.ts";
import { LogHalted } from "./halt.ts";
import { rotationStep, type SigningKey } from "./signing-keys.ts";
import type { OpenRun, Tail } from "./tail.ts";

export type NextRows = {
  readonly rows: readonly LogRow[];
  /** Accounted offsets that wait for a later pass. */
  readonly lag: number;
  readonly recordedAtMs: readonly number[];
};

type Pending = Source & { readonly from: number };

/** A record and its coverage entry. */
const rowsMin = 2;

export async function nextRows(
  deps: SequencerDeps,
  tail: Tail,
  keys: readonly SigningKey[],
  size: number,
  signal: AbortSignal,
): Promise<NextRows> {
  const { log, sha256, limits, now } = deps;
  const controls = [...(await pendingControls(log, signal))];
  const rotation = await rotationStep(log, keys, limits.keyOverlapMs, now(), signal);
  if (rotation !== undefined) controls.push(rotation);
  const sources = await pendingSources(deps, tail.open, signal);
  const covered = await coverSources(
    deps,
    sources,
    tail.open,
    size,
    limits.batchMax - controls.length,
    signal,
  );
  if (covered.rows.length + controls.length === 0 && isHeartbeatDue(tail.lastAtMs, now(), limits.heartbeatMs))
    controls.push(heartbeat(size, now()));
  const first = size + covered.rows.length;
  const controlRows = controls.map((control, at) => controlRow(control, first + at, sha256));
  return { ...covered, rows: [...covered.rows, ...controlRows] };
}

/** Sources with offsets that no coverage entry names, in the order in which they enter. */
async function pendingSources(
  deps: SequencerDeps,
  open: OpenRun | undefined,
  signal: AbortSignal,
): Promise<readonly Pending[]> {
  const pending: Pending[] = [];
  for (const source of await deps.records.sources(signal)) {
    const from = await loggedOffset(deps, source, signal);
    if (from < source.mark) pending.push({ ...source, from });
  }
  if (open !== undefined && !pending.some(({ src }) => src === open.src))
    throw new LogHalted("MARK_BEHIND_LOG", `records of ${open.src} are in the log and not accounted for`);
  const rank = ({ src }: Pending): string => (src === open?.src ? "" : src);
  return pending.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Room is shared evenly, so that a source with a backlog does not keep the others waiting. */
async function coverSources(
  deps: SequencerDeps,
  sources: readonly Pending[],
  open: OpenRun | undefined,
  size: number,
  rowsMax: number,
  signal: AbortSignal,
): Promise<NextRows> {
  const rows: LogRow[] = [];
  const recordedAtMs: number[] = [];
  let lag = 0;
  for (const [at, source] of sources.entries()) {
    const room = rowsMax - rows.length;
    const own = source.src === open?.src ? open : undefined;
    if (room < rowsMin && own === undefined) {
      lag += source.mark - source.from;
      continue;
    }
    const share = Math.max(1, Math.floor(room / (sources.length - at)) - 1);
    const covered = await coverSource(deps, source, source.from, own, size + rows.length, share, signal);
    rows.push(...covered.rows);
    recordedAtMs.push(...covered.recordedAtMs);
    lag += source.mark - covered.to;
  }
  return { rows, recordedAtMs, lag };
}
