/** Watches what is stored of the partitions: after each write, every promise about records, owners, outcomes and marks is held against what was seen before. */
import { parseRid, ridOf, type Src, srcOf } from "../../src/core/ids.ts";
import type { GapCause, OutcomeRow } from "../../src/core/outcome.ts";
import type { RecordRow } from "../../src/core/record.ts";
import type { AuditReader } from "../../src/ports/audit-reader.ts";
import type { Store } from "../../src/ports/store.ts";
import { never } from "../support/log-world.ts";
import { allOwnerships } from "../support/owner-facts.ts";
import { checkLettered } from "./check-letters.ts";
import type { Letter } from "./letters.ts";
import { idOf } from "./load.ts";
import { checkOwners, type Owned } from "./owners.ts";
import { type Partition, partitionOf, valueAt } from "./topic.ts";
import { assert } from "./violation.ts";

const limit = 1_000;

export type OutcomesSeen = {
  /** Throws Violation. */
  look(): Promise<void>;
  /** As of the last look. */
  mark(src: Src): number;
  records(): readonly RecordRow[];
};

type Seen = {
  /** First offset that was accounted for. */
  readonly begin: number;
  readonly mark: number;
  readonly rows: readonly string[];
  readonly records: ReadonlyMap<number, RecordRow>;
};
const nothing: Seen = { begin: 0, mark: 0, rows: [], records: new Map() };

/** A store that went back is watched by another one. */
export function watchOutcomes(
  { audit, history }: Pick<Store, "audit" | "history">,
  partitions: readonly Partition[],
  letters: readonly Letter[],
): OutcomesSeen {
  const seen = new Map<Src, Seen>();
  const records = (): readonly RecordRow[] => [...seen.values()].flatMap((one) => [...one.records.values()]);
  return {
    records,
    mark: (src) => seen.get(src)?.mark ?? 0,
    async look() {
      for (const partition of partitions) {
        const before = seen.get(partition.src) ?? nothing;
        const now = await readPartition(audit, partition);
        checkGrowth(partition.src, before, now);
        for (const row of now.rows.slice(before.rows.length))
          checkLettered(partition, JSON.parse(row), letters);
        seen.set(partition.src, now);
      }
      checkRecords(records());
      for (const partition of partitions) checkFates(partition, partitions, seen);
      checkOwners(await allOwnerships(history, never), owned(partitions, seen));
    },
  };
}

function* owned(partitions: readonly Partition[], seen: ReadonlyMap<Src, Seen>): Generator<Owned> {
  for (const { src, events } of partitions) {
    const { mark, records } = seen.get(src) ?? nothing;
    for (const offset of records.keys()) yield { event: events[offset], isAccounted: offset < mark };
  }
}

async function readPartition(audit: AuditReader, { src, logStart }: Partition): Promise<Seen> {
  const end = Number.MAX_SAFE_INTEGER;
  const accounts = await audit.accounts(src, 0, limit, never);
  const outcomes = await audit.outcomes(src, 0, end, limit, never);
  const records = await audit.records(src, 0, end, limit, never);
  const begin = accounts[0]?.from ?? 0;
  assert(begin <= logStart, () => `${src}: what lies before ${begin} was passed over`);
  let mark = begin;
  for (const { from, to } of accounts) {
    assert(from === mark && to > from, () => `${src}: an account is [${from}, ${to}) behind ${mark}`);
    mark = to;
  }
  return {
    begin,
    mark,
    rows: outcomes.map(({ row }) => JSON.stringify(row)),
    records: new Map(records.flatMap(({ offset, row }) => (row === undefined ? [] : [[offset, row]]))),
  };
}

/** What was there is there still and the same; nothing is put below the mark. */
function checkGrowth(src: Src, before: Seen, now: Seen): void {
  assert(now.mark >= before.mark, () => `${src}: the mark went back from ${before.mark} to ${now.mark}`);
  assert(
    before.rows.every((row, at) => row === now.rows[at]),
    () => `${src}: an outcome was changed or taken back`,
  );
  for (const [offset, { leafHash, uid, version }] of before.records) {
    const row = now.records.get(offset);
    const isSame =
      row?.uid === uid && row.version === version && Buffer.compare(row.leafHash, leafHash) === 0;
    assert(isSame, () => `${ridOf(src, offset)}: the record was changed or is gone`);
  }
  for (const offset of now.records.keys())
    assert(
      offset >= before.mark || before.records.has(offset),
      () => `${ridOf(src, offset)}: a record came below the mark ${before.mark}`,
    );
}

/** One record a uid; versions of a stream are 1, 2, 3 … in the order of each partition. */
function checkRecords(records: readonly RecordRow[]): void {
  const uids = new Set(records.map(({ uid }) => uid));
  assert(uids.size === records.length, () => "two records have one uid");
  const streams = Map.groupBy(records, ({ stream, kind }) => `${kind}:${stream}`);
  for (const [stream, unordered] of streams) {
    const rows = unordered.toSorted((a, b) => a.version - b.version);
    assert(
      rows.every(({ version, alias }, at) => version === at + 1 && alias === rows[0]?.alias),
      () => `${stream}: versions ${rows.map(({ version }) => version).join(", ")}`,
    );
    const last = new Map<Src | undefined, number>();
    for (const { rid } of rows) {
      const at = parseRid(rid);
      const [src, offset] = [at && srcOf(at.topicId, at.partition), at?.offset ?? -1];
      assert(offset > (last.get(src) ?? -1), () => `${stream}: ${rid} has a version out of order`);
      last.set(src, offset);
    }
  }
}

/** Each offset below the mark has the one outcome that its event may have; no outcome lies at or beyond it. */
function checkFates(
  partition: Partition,
  partitions: readonly Partition[],
  seen: ReadonlyMap<Src, Seen>,
): void {
  const { src } = partition;
  const { begin, mark, rows, records } = seen.get(src) ?? nothing;
  const outcomes = new Map<number, OutcomeRow>();
  for (const text of rows) {
    const row: OutcomeRow = JSON.parse(text);
    for (let offset = row.from; offset < row.to; offset++) {
      assert(
        !outcomes.has(offset) && offset < mark,
        () => `${ridOf(src, offset)}: a second outcome, or none yet due`,
      );
      outcomes.set(offset, row);
    }
  }
  const storedAt = (rid: string): string | undefined => {
    const at = parseRid(rid);
    const original = partitionOf(partitions, at);
    const isStored = original !== undefined && seen.get(original.src)?.records.has(at?.offset ?? -1);
    return isStored ? valueAt(original, at?.offset ?? -1) : undefined;
  };
  for (const offset of records.keys())
    assert(mark === 0 || offset >= begin, () => `${ridOf(src, offset)}: the record lies before ${begin}`);
  for (let offset = begin; offset < mark; offset++) {
    const kind = kindOf(outcomes.get(offset), records.has(offset));
    const row = outcomes.get(offset);
    const isTaken = row?.kind === "gap" && isUnreadable(row.cause, offset, partition, partitions);
    const may = mayBe(isTaken ? undefined : valueAt(partition, offset), row, storedAt);
    assert(kind === may, () => `${ridOf(src, offset)}: the outcome is ${kind}, and may be ${may}`);
  }
}

/** Retention took it, or the operator another incarnation. */
function isUnreadable(
  cause: GapCause,
  offset: number,
  { number, topicId, logStart }: Partition,
  partitions: readonly Partition[],
): boolean {
  if (cause === "retention") return offset < logStart;
  const current = partitions.findLast((one) => one.number === number);
  return cause === "skipped" && current?.topicId !== topicId;
}

const kindOf = (row: OutcomeRow | undefined, isStored: boolean): string =>
  [...(row === undefined ? [] : [row.kind]), ...(isStored ? ["stored"] : [])].join(" and ") || "none";

/** What can become of these bytes, given which record the outcome says was first. */
function mayBe(
  value: string | undefined,
  row: OutcomeRow | undefined,
  storedAt: (rid: string) => string | undefined,
): string {
  if (value === undefined) return "gap";
  const id = idOf(value);
  if (id === undefined) return "rejected";
  if (row === undefined || !("original" in row)) return "stored";
  const original = storedAt(row.original);
  if (original === undefined || idOf(original) !== id) return "stored";
  return original === value ? "duplicate" : "conflict";
}
