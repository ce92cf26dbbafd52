/** Records as they enter the log: from a place on, then each as it comes; every part says where to go on after it. */
import { setImmediate } from "node:timers/promises";
import { parseCheckpoint } from "../core/checkpoint.ts";
import { LastroError } from "../core/errors.ts";
import { allOf, compare, type Filter } from "../core/filter.ts";
import { equalHashes } from "../core/merkle.ts";
import { parseNote } from "../core/signed-note.ts";
import type { Clock } from "../ports/clock.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";
import { answerBytes } from "./get-history.ts";
import { type LogFeed, logFeed } from "./log-feed.ts";
import { candidatesOf, matchesOf } from "./log-matches.ts";
import type { LogRecord } from "./log-records.ts";
import { indexBefore } from "./log-time.ts";
import { type Access, permit, tellRead } from "./permit.ts";
import { prefixOf, proven, requireSize, requireTree, requireTreeOf } from "./prove.ts";
import type { RecordView } from "./record-view.ts";
import { reachedFilter } from "./search-records.ts";
import { type SeenTree, seenTree } from "./seen-tree.ts";

/** `now`: what enters the log from now on. */
export type TailFrom =
  | { readonly index: number }
  | { readonly recordedAtMs: number }
  | { readonly checkpoint: string }
  | "now";
export type TailRequest = { readonly filter: string; readonly from: TailFrom };

export type TailPart = {
  readonly records: readonly RecordView[];
  readonly alteredRids: readonly string[];
  /** All that matches below it was told. */
  readonly nextIndex: number;
  readonly seen: SeenTree;
};

export type TailLimits = {
  /** Tails at once in this process. */
  readonly tailsMax: number;
  /** A tail that tells nothing says so this often. */
  readonly heartbeatMs: number;
};

export type Tail = (
  request: TailRequest,
  caller: Caller,
  signal: AbortSignal,
) => AsyncGenerator<TailPart, void, undefined>;

const recordedSince = (ms: number): Filter => compare("recorded_at", ">=", ms);

/** Records of one message; it also closes on bytes. */
const partRecordsMax = 100;
const partBytesMax = 1024 * 1024;

/** `steadyNow` does not jump with the machine's clock. */
export function openTail(deps: QueryDeps, limits: TailLimits, steadyNow: Clock): Tail {
  const feed = logFeed(deps);
  let running = 0;
  return async function* tail(request, caller, signal) {
    if (running >= limits.tailsMax)
      throw new LastroError(
        "LIMIT_REACHED",
        `${limits.tailsMax} tails run already in this process; try again later`,
      );
    running += 1;
    try {
      yield* follow({ deps, feed, heartbeatMs: limits.heartbeatMs, steadyNow }, request, caller, signal);
    } finally {
      running -= 1;
    }
  };
}

type Following = {
  readonly deps: QueryDeps;
  readonly feed: LogFeed;
  readonly heartbeatMs: number;
  readonly steadyNow: Clock;
};

async function* follow(
  { deps, feed, heartbeatMs, steadyNow }: Following,
  request: TailRequest,
  caller: Caller,
  signal: AbortSignal,
): AsyncGenerator<TailPart, void, undefined> {
  const access = permit(deps, caller, "TailRecords");
  const asked = reachedFilter(deps, access, request.filter);
  const since = typeof request.from === "object" && "recordedAtMs" in request.from ? request.from : undefined;
  const filter = since === undefined ? asked : allOf([asked, recordedSince(since.recordedAtMs)]);
  let next = await startOf(deps, request.from, signal);
  // At once: whoever is cut before the first record knows where to go on, too.
  yield { ...(await partOf(deps, access, filter, [], signal)), nextIndex: next };
  for (let toldMs = steadyNow(); ; ) {
    const quietMs = steadyNow() - toldMs;
    const stretch = await feed.next(next, Math.max(0, heartbeatMs - quietMs), signal);
    for (const { records, nextIndex } of inParts(candidatesOf(filter, stretch.records), stretch.to)) {
      const part = await partOf(deps, access, filter, records, signal);
      if (tellsNothing(part) && steadyNow() - toldMs < heartbeatMs) {
        // Where nothing is sent nothing is waited for: others get their turn.
        await setImmediate();
        continue;
      }
      yield { ...part, nextIndex };
      toldMs = steadyNow();
    }
    next = stretch.to;
    if (steadyNow() - toldMs < heartbeatMs) continue;
    yield { ...(await partOf(deps, access, filter, [], signal)), nextIndex: next };
    toldMs = steadyNow();
  }
}

async function startOf(deps: QueryDeps, from: TailFrom, signal: AbortSignal): Promise<number> {
  const { log } = deps;
  if (from === "now") return (await log.checkpoint("latest", signal))?.size ?? 0;
  if ("recordedAtMs" in from) {
    const size = (await log.checkpoint("latest", signal))?.size ?? 0;
    return indexBefore(log, from.recordedAtMs, size, signal);
  }
  if ("checkpoint" in from) return sizeOfKept(deps, from.checkpoint, signal);
  const index = requireSize(from.index, 0, "index");
  if (index > 0) await requireTreeOf(log, index, "index", signal);
  return index;
}

/** Refuses a checkpoint that this log contradicts: a log that was put back or rewritten must not go on as if nothing were. */
async function sizeOfKept({ log }: QueryDeps, text: string, signal: AbortSignal): Promise<number> {
  const kept = parseCheckpoint(parseNote(text)?.text ?? "");
  if (kept === undefined) throw invalid("checkpoint", "is no signed note of a checkpoint");
  const latest = await requireTree(log, "latest", signal, kept.size);
  const isOurs = kept.origin === latest.origin && kept.size <= latest.size;
  const tree =
    isOurs && kept.size > 0
      ? await proven(log, signal, (read) => prefixOf(latest, kept.size, read))
      : undefined;
  if (isOurs && (kept.size === 0 || (tree !== undefined && equalHashes(tree.root, kept.root))))
    return kept.size;
  throw new LastroError(
    "FAILED_PRECONDITION",
    "this log does not hold the tree of that checkpoint: it is another log, or it was put back or rewritten; compare them with lastro verify log",
    { field: "checkpoint" },
  );
}

/** Parts of a stretch that close on count and bytes, each with the index behind which all is told. */
function inParts(found: readonly LogRecord[], to: number): readonly Pick<Part, "records" | "nextIndex">[] {
  const parts: Part[] = [];
  for (const record of found) {
    const bytes = record.row === undefined ? 0 : answerBytes(record.row);
    const part = parts.at(-1);
    if (part === undefined || part.records.length >= partRecordsMax || part.bytes + bytes > partBytesMax) {
      if (part !== undefined) part.nextIndex = record.index;
      parts.push({ records: [record], bytes, nextIndex: to });
    } else {
      part.records.push(record);
      part.bytes += bytes;
    }
  }
  return parts;
}
type Part = { readonly records: LogRecord[]; bytes: number; nextIndex: number };

const tellsNothing = ({ records, alteredRids }: Pick<TailPart, "records" | "alteredRids">): boolean =>
  records.length === 0 && alteredRids.length === 0;

async function partOf(
  deps: QueryDeps,
  access: Access,
  filter: Filter,
  records: readonly LogRecord[],
  signal: AbortSignal,
): Promise<Omit<TailPart, "nextIndex">> {
  const { found, alteredRids } = await matchesOf(deps, access, filter, records, signal);
  const shown = found.map(({ view }) => view);
  await tellRead(deps, access, shown, signal);
  const [witnessed, latest] = await Promise.all([
    deps.log.checkpoint("witnessed", signal),
    deps.log.checkpoint("latest", signal),
  ]);
  return {
    records: shown,
    alteredRids,
    seen: seenTree(new Map(records.map(({ rid, index }) => [rid, index])), latest?.size, witnessed?.size),
  };
}
