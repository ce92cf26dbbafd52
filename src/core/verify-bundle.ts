/** Verifies what an evidence bundle says of a record or of a range of offsets. Everything in the bundle is the giver's word until it is recomputed here. */
import { toBase64Url, utf8 } from "./base64.ts";
import type { Evidence, EvidenceEntry } from "./evidence.ts";
import {
  type Basis,
  collectFindings,
  type Finding,
  type Report,
  type Verification,
  verification,
} from "./findings.ts";
import { type Kid, parseRid, type Rid, type Src, srcOf } from "./ids.ts";
import { type CoverageEntry, type LogEntry, parseLogEntry, vkeyOf } from "./log-entries.ts";
import { equalHashes, leafHashOf, verifyConsistency, verifyInclusion } from "./merkle.ts";
import { compareBody } from "./sealed-parts.ts";
import { parseVerifierKey } from "./signed-note.ts";
import { streamTally } from "./stream-tally.ts";
import {
  checkContinued,
  checkSignature,
  checkTrusted,
  countCosignatures,
  type OpenedCheckpoint,
  openCheckpoint,
  type Trust,
  type TrustedCheckpoint,
  trustedCheckpoints,
  type VerifyCrypto,
  witnessedBasis,
} from "./trust.ts";
import { checkOutcomeList } from "./verify-outcomes.ts";

export type BundleScope =
  | { readonly kind: "record"; readonly rid: Rid }
  | { readonly kind: "range"; readonly src: Src; readonly from: number; readonly to: number };

type Proven = { readonly given: EvidenceEntry; readonly entry: LogEntry };
type ProvenAs<T extends LogEntry["t"]> = Proven & { readonly entry: Extract<LogEntry, { t: T }> };

export function verifyBundle(
  scope: BundleScope,
  evidence: Evidence,
  trust: Trust,
  crypto: VerifyCrypto,
): Verification {
  const findings = collectFindings();
  const { report } = findings;
  const opened = openCheckpoint(evidence.checkpoint);
  if (opened === undefined) {
    const object = { kind: "checkpoint", name: "given", size: undefined } as const;
    report({ code: "CHECKPOINT_CHANGED", object, detail: "it is no signed checkpoint" });
    return verification(findings, [], {});
  }
  const proven = provenEntries(evidence, opened, crypto, report);
  const records = proven.filter((item): item is ProvenAs<"record"> => item.entry.t === "record");
  const coverages = proven.filter((item): item is ProvenAs<"coverage"> => item.entry.t === "coverage");
  checkStreams(records, report);
  checkBodies(proven, records, crypto, report);
  const lists = checkLists(evidence, coverages, records, crypto, report);
  if (scope.kind === "record") checkRecord(scope.rid, records, coverages, report);
  else checkRange(scope, records, coverages, opened.checkpoint.size, report);
  const bodies = records.filter(({ given }) => given.body !== undefined).length;
  return verification(findings, judge(evidence, opened, trust, proven, crypto, report), {
    records: records.length,
    coverages: coverages.length,
    bodies,
    lists,
  });
}

const objectOf = (entry: LogEntry | undefined, index: number): Finding["object"] =>
  entry?.t === "record" ? { kind: "record", rid: entry.rid } : { kind: "leaves", from: index, to: index + 1 };

/** Entries that the checkpoint's tree holds at their index. */
function provenEntries(
  { entries }: Evidence,
  { checkpoint }: OpenedCheckpoint,
  crypto: VerifyCrypto,
  report: Report,
): readonly Proven[] {
  const { size, root } = checkpoint;
  const taken = new Set<number>();
  return entries.flatMap((given): readonly Proven[] => {
    const { index, path, proven } = given;
    const entry = parseLogEntry(given.entry);
    const object = objectOf(entry, index);
    const claimed = proven === undefined ? checkpoint : openCheckpoint(proven)?.checkpoint;
    if (claimed?.size !== size || !equalHashes(claimed.root, root)) {
      report({ code: "INCLUSION_INVALID", object, detail: "its proof is for another checkpoint" });
      return [];
    }
    const leafHash = leafHashOf(crypto.sha256, utf8(given.entry));
    if (!verifyInclusion(crypto.sha256, { index, size, leafHash, root, path })) {
      report({ code: "INCLUSION_INVALID", object, detail: `the tree has no such entry at index ${index}` });
      return [];
    }
    if (entry === undefined) {
      report({ code: "ENTRY_INVALID", object, detail: "Lastro writes no such entry" });
      return [];
    }
    if (taken.has(index)) {
      report({ code: "INPUT_INVALID", object, detail: `index ${index} is given more than once` });
      return [];
    }
    taken.add(index);
    return [{ given, entry }];
  });
}

function checkStreams(records: readonly ProvenAs<"record">[], report: Report): void {
  const tally = streamTally();
  const rids = new Set<Rid>();
  for (const { entry } of records) {
    const object = { kind: "record", rid: entry.rid } as const;
    if (rids.has(entry.rid)) report({ code: "COVERAGE_BROKEN", object, detail: "it is logged twice" });
    rids.add(entry.rid);
    if (!tally.take(entry.alias, entry.kind, entry.version, entry.rid))
      report({
        code: "STREAM_BROKEN",
        object,
        detail: `version ${entry.version} of its stream is logged twice`,
      });
  }
}

function checkBodies(
  proven: readonly Proven[],
  records: readonly ProvenAs<"record">[],
  { sha256 }: VerifyCrypto,
  report: Report,
): void {
  const erased = new Set<Kid>();
  for (const { entry } of proven)
    if (entry.t === "control" && entry.kind === "erase") for (const kid of entry.data.kids) erased.add(kid);
  for (const { given, entry } of proven) {
    if (given.body === undefined || entry.t === "record") continue;
    const object = objectOf(entry, given.index);
    report({ code: "INPUT_INVALID", object, detail: "a body is given for an entry that has none" });
  }
  for (const { given, entry } of records) {
    if (given.body === undefined) continue;
    const verdict = compareBody(sha256, given.body, entry.parts);
    const object = { kind: "record", rid: entry.rid } as const;
    if (verdict === "changed")
      report({ code: "BODY_CHANGED", object, detail: "its sealed body is not what its entry commits to" });
    else if (verdict !== "agrees" && verdict.gone.some((kid) => !erased.has(kid)))
      report({
        code: "BODY_MISSING",
        object,
        detail: "its sealed body is gone, and no erasure given here names its keys",
      });
  }
}

function checkLists(
  { outcomes }: Evidence,
  coverages: readonly ProvenAs<"coverage">[],
  records: readonly ProvenAs<"record">[],
  { sha256 }: VerifyCrypto,
  report: Report,
): number {
  const coverageAt = new Map(coverages.map(({ given, entry }) => [given.index, entry]));
  const lists = new Map<CoverageEntry, string>();
  for (const { index, list } of outcomes) {
    const coverage = coverageAt.get(index);
    const object = { kind: "leaves", from: index, to: index + 1 } as const;
    if (coverage === undefined) {
      const detail = "a list of outcomes is given, and its coverage entry is not";
      report({ code: "INPUT_MISSING", object, detail });
    } else if (lists.has(coverage)) {
      const detail = `a list of outcomes for index ${index} is given more than once`;
      report({ code: "INPUT_INVALID", object, detail });
    } else lists.set(coverage, list);
  }
  const offsets = offsetsBySource(records);
  const ends = new Map<Src, number>();
  for (const [coverage, list] of [...lists].toSorted(([a], [b]) => a.from - b.from)) {
    const { src, from, to } = coverage;
    const object = { kind: "outcomes", src, from, to } as const;
    const isOwn = from >= (ends.get(src) ?? 0);
    ends.set(src, Math.max(to, ends.get(src) ?? 0));
    if (toBase64Url(sha256(utf8(list))) !== coverage.list) {
      const detail = "the list is not what its coverage entry commits to";
      report({ code: "OUTCOMES_CHANGED", object, detail });
    } else if (!isOwn) report({ code: "COVERAGE_BROKEN", object, detail: "it overlaps the one before it" });
    else checkOutcomeList(coverage, list, offsets(src, from, to), report);
  }
  return lists.size;
}

/** Offsets of the records of a source in [from, to), ascending, of which each is passed once: ranges of a source are to be asked for in their order. */
function offsetsBySource(
  records: readonly ProvenAs<"record">[],
): (src: Src, from: number, to: number) => readonly number[] {
  const bySource = new Map<Src, { readonly offsets: number[]; at: number }>();
  for (const { entry } of records) {
    const position = parseRid(entry.rid);
    if (position === undefined) continue;
    const src = srcOf(position.topicId, position.partition);
    const known = bySource.get(src) ?? { offsets: [], at: 0 };
    bySource.set(src, known);
    known.offsets.push(position.offset);
  }
  for (const { offsets } of bySource.values()) offsets.sort((a, b) => a - b);
  return (src, from, to) => {
    const known = bySource.get(src);
    if (known === undefined) return [];
    const { offsets } = known;
    while ((offsets[known.at] ?? from) < from) known.at += 1;
    const begin = known.at;
    while ((offsets[known.at] ?? to) < to) known.at += 1;
    return offsets.slice(begin, known.at);
  };
}

function checkRecord(
  rid: Rid,
  records: readonly ProvenAs<"record">[],
  coverages: readonly ProvenAs<"coverage">[],
  report: Report,
): void {
  const object = { kind: "record", rid } as const;
  const record = records.find(({ entry }) => entry.rid === rid);
  if (record === undefined) {
    report({ code: "INPUT_MISSING", object, detail: "its entry is not given, or is not in the tree" });
    return;
  }
  for (const coverage of coverages) {
    if (!covers(coverage.entry, rid) || isCovered(record, coverage)) continue;
    report({
      code: "COVERAGE_BROKEN",
      object,
      detail: `the coverage entry at index ${coverage.given.index} does not count it`,
    });
  }
}

function covers({ src, from, to }: CoverageEntry, rid: Rid): boolean {
  const position = parseRid(rid);
  if (position === undefined || srcOf(position.topicId, position.partition) !== src) return false;
  return position.offset >= from && position.offset < to;
}

const isCovered = (
  { given }: ProvenAs<"record">,
  { entry, given: { index } }: ProvenAs<"coverage">,
): boolean =>
  given.index >= entry.first && given.index < entry.first + entry.n && index === entry.first + entry.n;

/** Every offset of the range lies in one coverage entry, and every record that these count is there. */
function checkRange(
  { src, from, to }: Extract<BundleScope, { kind: "range" }>,
  records: readonly ProvenAs<"record">[],
  coverages: readonly ProvenAs<"coverage">[],
  size: number,
  report: Report,
): void {
  const inOrder = records.toSorted((a, b) => a.given.index - b.given.index);
  const chain = coverages
    .filter(({ entry }) => entry.src === src && entry.to > from && entry.from < to)
    .toSorted((a, b) => a.entry.from - b.entry.from);
  let [next, nextIndex, at] = [from, 0, 0];
  for (const coverage of chain) {
    const { entry, given } = coverage;
    const object = { kind: "outcomes", src, from: entry.from, to: entry.to } as const;
    if (entry.from > next) reportHole(src, next, entry.from, report);
    else if (entry.from < next && next !== from)
      report({ code: "COVERAGE_BROKEN", object, detail: "it overlaps the one before it" });
    if (entry.first + entry.n !== given.index || given.index >= size)
      report({ code: "COVERAGE_BROKEN", object, detail: "its records do not lie directly before it" });
    else if (entry.first < nextIndex)
      report({ code: "COVERAGE_BROKEN", object, detail: "its records lie before the one before it" });
    else {
      const begin = indexFrom(inOrder, at, entry.first);
      at = indexFrom(inOrder, begin, given.index);
      checkRun(entry, inOrder.slice(begin, at), report);
      nextIndex = given.index + 1;
    }
    next = entry.to;
  }
  if (next < to) reportHole(src, next, to, report);
}

function reportHole(src: Src, from: number, to: number, report: Report): void {
  const object = { kind: "outcomes", src, from, to } as const;
  report({ code: "INPUT_MISSING", object, detail: "no coverage entry is given for them" });
}

/** The first place from `at` on whose record lies at that index or behind it. */
function indexFrom(inOrder: readonly ProvenAs<"record">[], at: number, index: number): number {
  let place = at;
  while ((inOrder[place]?.given.index ?? index) < index) place += 1;
  return place;
}

/** `held`: the records at its indexes that are given. What is missing between them may be any number: it is passed in one step. */
function checkRun(
  { src, from, to, first, n }: CoverageEntry,
  held: readonly ProvenAs<"record">[],
  report: Report,
): void {
  let [last, next] = [from - 1, first];
  const missing = (end: number): void => {
    const object = { kind: "leaves", from: next, to: end } as const;
    if (next < end)
      report({ code: "INPUT_MISSING", object, detail: "records that the range counts are not given" });
  };
  for (const { given, entry: record } of held) {
    missing(given.index);
    next = given.index + 1;
    const position = parseRid(record.rid);
    const fits =
      position !== undefined &&
      srcOf(position.topicId, position.partition) === src &&
      position.offset > last &&
      position.offset < to;
    const object = { kind: "record", rid: record.rid } as const;
    if (!fits)
      report({
        code: "COVERAGE_BROKEN",
        object,
        detail: "it does not lie in the offsets that count it, in their order",
      });
    last = Math.max(last, position?.offset ?? last);
  }
  missing(first + n);
}

function judge(
  evidence: Evidence,
  opened: OpenedCheckpoint,
  trust: Trust,
  proven: readonly Proven[],
  crypto: VerifyCrypto,
  report: Report,
): readonly Basis[] {
  const { checkpoint } = opened;
  const object = { kind: "checkpoint", name: "given", size: checkpoint.size } as const;
  const own = [...new Set(evidence.vkeys)].filter((vkey) => mayHaveSigned(crypto, opened, vkey));
  const signed = checkSignature(crypto, opened, "given", { given: trust.vkeys, own }, report);
  const cosigned = countCosignatures(crypto, opened, "given", trust.witnesses.vkeys, report);
  const trusted = trustedCheckpoints(trust, report);
  const rootAt = (size: number): Uint8Array | undefined =>
    confirmedRoot(size, trusted, evidence, opened, crypto, report);
  const basis = [
    ...witnessedBasis(cosigned, trust.witnesses.k, object, report),
    ...checkTrusted(trusted, checkpoint.origin, rootAt, report),
  ];
  if (signed && trust.vkeys.length === 0)
    checkContinued(crypto, opened, "given", basis, (size) => keysBelow(size, proven), report);
  return basis;
}

/** What the bundle shows of the log's own naming of keys. Whoever it hides a retirement from believes the key that signed before. */
const keysBelow = (size: number, proven: readonly Proven[]): readonly string[] =>
  proven.flatMap(({ given: { index }, entry }) => {
    const vkey = vkeyOf(entry);
    return vkey !== undefined && index < size ? [vkey] : [];
  });

/** A key of the bundle whose id no signature bears tells nothing of the checkpoint: the giver may not know of a rotation. */
function mayHaveSigned({ sha256 }: VerifyCrypto, { note }: OpenedCheckpoint, vkey: string): boolean {
  const key = parseVerifierKey(sha256, vkey);
  return key === undefined || note.signatures.some(({ name, id }) => name === key.name && id === key.id);
}

/** The root at the size of a kept checkpoint: the bundle's own, or the kept one where a consistency proof joins the two. */
function confirmedRoot(
  size: number,
  trusted: readonly TrustedCheckpoint[],
  { consistency }: Evidence,
  { checkpoint }: OpenedCheckpoint,
  { sha256 }: VerifyCrypto,
  report: Report,
): Uint8Array | undefined {
  if (size === checkpoint.size) return checkpoint.root;
  const [older, newer] = [Math.min(size, checkpoint.size), Math.max(size, checkpoint.size)];
  const proof = consistency.find(({ from, to }) => from === older && to === newer);
  if (proof === undefined) return undefined;
  for (const kept of trusted) {
    if (kept.size !== size) continue;
    const [oldRoot, root] = size === older ? [kept.root, checkpoint.root] : [checkpoint.root, kept.root];
    if (verifyConsistency(sha256, { oldSize: older, oldRoot, size: newer, root, path: proof.path }))
      return kept.root;
  }
  const object = { kind: "checkpoint", name: "given", size: checkpoint.size } as const;
  report({
    code: "CONSISTENCY_INVALID",
    object,
    detail: `the proof between sizes ${older} and ${newer} does not hold`,
  });
  return undefined;
}
