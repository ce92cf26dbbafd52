/** Reads the entries of a log in order and holds each against those before it: coverage without holes, dense streams, valid control entries. */

import type { Report } from "./findings.ts";
import { type Kid, parseRid, type Src, srcOf } from "./ids.ts";
import type { RecordEntry } from "./leaf.ts";
import type { ControlEntry, CoverageEntry, LogEntry } from "./log-entries.ts";
import type { Sha256 } from "./merkle.ts";
import { parseVerifierKey } from "./signed-note.ts";
import { type EarlyVersion, type StreamState, streamTally } from "./stream-tally.ts";

/** Records since the last entry that is none: all of one source, by ascending offset. */
type OpenRun = {
  readonly src: Src;
  readonly first: number;
  readonly n: number;
  readonly lowest: number;
  readonly last: number;
};
/** A signing key, and the indexes of the entries that name and that retire it. */
type LoggedKey = { readonly vkey: string; readonly namedAt: number; readonly retiredAt: number | undefined };
export type SourceCover = { readonly from: number; readonly to: number };

export type WalkState = {
  readonly next: number;
  readonly origin: string | undefined;
  /** Oldest first. */
  readonly keys: readonly LoggedKey[];
  readonly sources: readonly (readonly [Src, SourceCover])[];
  readonly run: OpenRun | undefined;
  /** Kids that fence and erase entries name. */
  readonly fenced: readonly Kid[];
  readonly streams: StreamState;
  /** Behind an entry that is missing, the next coverage of any source is taken as it is. */
  readonly damaged: boolean;
  readonly everDamaged: boolean;
  readonly counts: Readonly<Record<"records" | "coverages" | "controls", number>>;
};

/** Of a record's entry, what is held against the others. */
export type WalkedRecord = { readonly t: "record" } & Pick<RecordEntry, "rid" | "alias" | "kind" | "version">;
export type WalkedEntry = WalkedRecord | Exclude<LogEntry, { t: "record" }>;

export type LogWalk = {
  /** The entry at the next index; undefined: it could not be had, and what it would have said is not held against the others. */
  take(entry: WalkedEntry | undefined): void;
  next(): number;
  origin(): string | undefined;
  /** Verifier keys that may sign now, or a tree of `size` leaves; oldest first. */
  vkeys(size?: number): readonly string[];
  /** Also those that were retired. */
  everyVkey(): readonly string[];
  source(src: Src): SourceCover | undefined;
  sources(): ReadonlyMap<Src, SourceCover>;
  run(): OpenRun | undefined;
  fenced(): ReadonlySet<Kid>;
  /** Versions behind a hole in their stream; none are told once an entry was missing. */
  earlyVersions(): readonly EarlyVersion[];
  counts(): Readonly<Record<string, number>>;
  state(): WalkState;
};

const emptyState: WalkState = {
  next: 0, origin: undefined, keys: [], sources: [], run: undefined, fenced: [], streams: { next: [], early: [] }, damaged: false, everDamaged: false,
  counts: { records: 0, coverages: 0, controls: 0 },
}; // biome-ignore format: a table

export function logWalk(sha256: Sha256, report: Report, before: WalkState = emptyState): LogWalk {
  let { next, origin, keys, run } = before;
  const sources = new Map(before.sources);
  const fenced = new Set(before.fenced);
  const streams = streamTally(before.streams);
  const counts = { ...before.counts };
  let { damaged, everDamaged } = before;

  const atIndex = (index: number) => ({ kind: "leaves", from: index, to: index + 1 }) as const;
  const coverageFault = (entry: CoverageEntry, detail: string): void => {
    if (damaged) return;
    report({
      code: "COVERAGE_BROKEN",
      object: { kind: "outcomes", src: entry.src, from: entry.from, to: entry.to },
      detail,
    });
  };

  function takeRecord(record: WalkedRecord): void {
    counts.records += 1;
    const position = parseRid(record.rid);
    if (position === undefined) return;
    const src = srcOf(position.topicId, position.partition);
    const { offset } = position;
    const object = { kind: "record", rid: record.rid } as const;
    if (run !== undefined && run.src !== src && !damaged)
      report({ code: "COVERAGE_BROKEN", object, detail: "a record of another source lies within a run" });
    const floor = run?.src === src ? run.last + 1 : (sources.get(src)?.to ?? 0);
    if (offset < floor && !damaged)
      report({
        code: "COVERAGE_BROKEN",
        object,
        detail: "a record is logged behind its offset, or a second time",
      });
    run =
      run?.src === src
        ? { ...run, n: run.n + 1, last: offset }
        : { src, first: next, n: 1, lowest: offset, last: offset };
    if (!streams.take(record.alias, record.kind, record.version, record.rid))
      report({
        code: "STREAM_BROKEN",
        object,
        detail: `version ${record.version} of its stream is logged twice`,
      });
  }

  function takeCoverage(entry: CoverageEntry): void {
    counts.coverages += 1;
    const first = run?.first ?? next;
    const held = { n: run?.n ?? 0, src: run?.src ?? entry.src };
    if (entry.first !== first || entry.n !== held.n || held.src !== entry.src)
      coverageFault(
        entry,
        `it names ${entry.n} records from index ${entry.first} on, and ${held.n} of ${held.src} lie before it`,
      );
    if (run !== undefined && (run.lowest < entry.from || run.last >= entry.to))
      coverageFault(entry, "a record before it lies outside its offsets");
    const known = sources.get(entry.src);
    if (known !== undefined && known.to !== entry.from)
      coverageFault(entry, `it begins at ${entry.from}, and the one before it ended at ${known.to}`);
    sources.set(entry.src, { from: known?.from ?? entry.from, to: entry.to });
    run = undefined;
    damaged = false;
  }

  function takeControl(entry: ControlEntry): void {
    counts.controls += 1;
    const invalid = (detail: string): void =>
      report({ code: "CONTROL_INVALID", object: atIndex(next), detail });
    if (run !== undefined && !damaged) invalid("records before it have no coverage entry");
    run = undefined;
    if ((entry.kind === "genesis") !== (next === 0)) {
      invalid(next === 0 ? "the log does not begin with its genesis" : "a second genesis");
      return;
    }
    if (entry.kind === "genesis") {
      origin = entry.data.origin;
      addKey(entry.data.vkey, invalid);
    } else if (entry.kind === "key") addKey(entry.data.vkey, invalid);
    else if (entry.kind === "retire") {
      const signing = keysAt(next);
      const left = signing.filter(({ vkey }) => keyId(vkey) !== entry.data.key);
      if (left.length === signing.length) invalid(`it retires key ${entry.data.key}, which does not sign`);
      if (left.length === 0) invalid("it retires the last key");
      else
        keys = keys.map((key) =>
          signing.includes(key) && !left.includes(key) ? { ...key, retiredAt: next } : key,
        );
    } else if (entry.kind === "fence" || entry.kind === "erase")
      for (const kid of entry.data.kids) fenced.add(kid);
  }

  const keysAt = (size: number): readonly LoggedKey[] =>
    keys.filter(({ namedAt, retiredAt = size }) => namedAt < size && retiredAt >= size);
  const keyId = (vkey: string): string =>
    (parseVerifierKey(sha256, vkey)?.id ?? 0).toString(16).padStart(8, "0");
  function addKey(vkey: string, invalid: (detail: string) => void): void {
    const key = parseVerifierKey(sha256, vkey);
    if (key === undefined || key.name !== origin) invalid("its key is no verifier key of this log");
    else if (keysAt(next).some((signing) => signing.vkey === vkey)) invalid("its key signs already");
    else keys = [...keys, { vkey, namedAt: next, retiredAt: undefined }];
  }

  return {
    take(entry) {
      if (entry === undefined) [damaged, everDamaged] = [true, true];
      else {
        if (next === 0 && entry.t !== "control")
          report({
            code: "CONTROL_INVALID",
            object: atIndex(0),
            detail: "the log does not begin with its genesis",
          });
        if (entry.t === "record") takeRecord(entry);
        else if (entry.t === "coverage") takeCoverage(entry);
        else takeControl(entry);
      }
      next += 1;
    },
    next: () => next,
    origin: () => origin,
    vkeys: (size = next) => keysAt(size).map(({ vkey }) => vkey),
    everyVkey: () => keys.map(({ vkey }) => vkey),
    source: (src) => sources.get(src),
    sources: () => sources,
    run: () => run,
    fenced: () => fenced,
    earlyVersions: () => (everDamaged ? [] : streams.open()),
    counts: () => ({ ...counts, streams: streams.streams() }),
    state: () => ({
      next,
      origin,
      keys,
      run,
      sources: [...sources],
      fenced: [...fenced],
      streams: streams.state(),
      damaged,
      everDamaged,
      counts: { ...counts },
    }),
  };
}
