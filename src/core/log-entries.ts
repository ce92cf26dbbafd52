/** Leaf entries that are no records: coverage accounts for offsets, control tells of the log itself. RFC 8785 text, stored verbatim, never rebuilt. */
import { canonicalJson } from "./canonical.ts";
import { type B64, type Kid, parseRid, type Rid, ridOf, type Src } from "./ids.ts";
import { isJsonObject, type JsonObject, type JsonValue, jsonIn, member } from "./json.ts";
import {
  entryBytesMax,
  entryTimeOf,
  isB64Of16,
  isB64Of32,
  isoTime,
  parseRecordEntry,
  type RecordEntry,
} from "./leaf.ts";
import type { OutcomeCounts, OutcomeRow } from "./outcome.ts";

/** The `n` records of offsets [from, to) lie at indexes first … first + n − 1, directly before this entry. */
export type CoverageEntry = {
  readonly atMs: number;
  readonly src: Src;
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly n: number;
  readonly counts: OutcomeCounts;
  /** SHA-256 of `outcomeList`. */
  readonly list: B64;
};

export type ControlData =
  | { readonly kind: "genesis"; readonly data: { readonly origin: string; readonly vkey: string } }
  | { readonly kind: "heartbeat"; readonly data: Readonly<Record<string, never>> }
  | { readonly kind: "key"; readonly data: { readonly vkey: string } }
  | { readonly kind: "fence"; readonly data: { readonly act: string; readonly kids: readonly Kid[] } }
  | {
      readonly kind: "erase";
      readonly data: {
        readonly act: string;
        readonly kids: readonly Kid[];
        readonly counts: Readonly<Record<string, number>>;
      };
    }
  /** Key id of the verifier key that signs no more: 8 hex digits. */
  | { readonly kind: "retire"; readonly data: { readonly key: string } };
export type ControlEntry = ControlData & { readonly id: string; readonly atMs: number };

export type LogEntry =
  | ({ readonly t: "record" } & RecordEntry)
  | ({ readonly t: "coverage" } & CoverageEntry)
  | ({ readonly t: "control" } & ControlEntry);

const visible = /^[\x21-\x7e]{1,200}$/;
const keyIdForm = /^[0-9a-f]{8}$/;

/** Of the control entry that announces a signing key. */
export const announcementOf = (keyId: string): string => `key.${keyId}`;
/** The signing key that the entry names, if it does. */
export const vkeyOf = (entry: LogEntry | undefined): string | undefined =>
  entry?.t === "control" && (entry.kind === "genesis" || entry.kind === "key") ? entry.data.vkey : undefined;

export const isControlId = (text: string): boolean => visible.test(text);

/** The entry's text. Throws RangeError for fields that contradict each other or do not fit an entry: it could not be read back. */
export const coverageEntry = (entry: CoverageEntry): string => readable(coverageText(entry));
/** The entry's text. Throws RangeError for data that do not fit an entry, such as more key ids than 4,096 bytes hold. */
export const controlEntry = (entry: ControlEntry): string => readable(controlText(entry));

/** What is logged stays for ever: nothing is that a verifier would refuse. */
function readable(text: string): string {
  if (parseLogEntry(text) === undefined) throw new RangeError("the fields do not fit a log entry");
  return text;
}

const coverageText = ({ atMs, src, from, to, first, n, counts, list }: CoverageEntry): string =>
  canonicalJson({ v: 1, t: "coverage", at: isoTime(atMs), src, from, to, first, n, counts, list });

const controlText = ({ kind, id, atMs, data }: ControlEntry): string =>
  canonicalJson({ v: 1, t: "control", kind, id, at: isoTime(atMs), data });

/** The fields of an entry; undefined for any text that Lastro would not have written. */
export function parseLogEntry(text: string): LogEntry | undefined {
  const record = parseRecordEntry(text);
  if (record !== undefined) return { t: "record", ...record };
  const json = text.length <= entryBytesMax ? jsonIn(text) : undefined;
  if (!isJsonObject(json)) return undefined;
  const entry = member(json, "t") === "coverage" ? coverageOf(json) : controlOf(json);
  if (entry === undefined) return undefined;
  // Writing it again and comparing refuses unknown, missing, repeated and unordered members at once.
  return (entry.t === "coverage" ? coverageText(entry) : controlText(entry)) === text ? entry : undefined;
}

const textAt = (json: JsonObject, key: string): string => {
  const value = member(json, key);
  return typeof value === "string" ? value : "";
};
const countAt = (json: JsonObject, key: string): number => {
  const value = member(json, key);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : Number.NaN;
};
const objectAt = (json: JsonObject, key: string): JsonObject => {
  const value = member(json, key);
  return isJsonObject(value) ? value : {};
};

const isSrc = (text: string): boolean => parseRid(ridOf(text as Src, 0)) !== undefined;

function coverageOf(json: JsonObject): ({ t: "coverage" } & CoverageEntry) | undefined {
  const atMs = entryTimeOf(textAt(json, "at"));
  const [from, to] = [countAt(json, "from"), countAt(json, "to")];
  const [first, n] = [countAt(json, "first"), countAt(json, "n")];
  const counted = objectAt(json, "counts");
  const counts = {
    stored: countAt(counted, "stored"),
    duplicate: countAt(counted, "duplicate"),
    conflict: countAt(counted, "conflict"),
    rejected: countAt(counted, "rejected"),
    gap: countAt(counted, "gap"),
  };
  const [src, list] = [textAt(json, "src"), textAt(json, "list")];
  const numbers = [from, to, first, n, ...Object.values(counts)];
  if (atMs === undefined || numbers.some(Number.isNaN)) return undefined;
  if (!isSrc(src) || !isB64Of32(list)) return undefined;
  const sum = Object.values(counts).reduce((total, count) => total + count, 0);
  if (to <= from || sum !== to - from || counts.stored !== n) return undefined;
  return { t: "coverage", atMs, src: src as Src, from, to, first, n, counts, list };
}

function controlOf(json: JsonObject): ({ t: "control" } & ControlEntry) | undefined {
  const atMs = entryTimeOf(textAt(json, "at"));
  const id = textAt(json, "id");
  const control = controlDataOf(textAt(json, "kind"), objectAt(json, "data"));
  if (atMs === undefined || !isControlId(id) || control === undefined) return undefined;
  return { t: "control", ...control, id, atMs };
}

function controlDataOf(kind: string, data: JsonObject): ControlData | undefined {
  const text = (key: string): string => textAt(data, key);
  const fits = (...keys: readonly string[]): boolean => keys.every((key) => visible.test(text(key)));
  switch (kind) {
    case "genesis":
      return fits("origin", "vkey")
        ? { kind, data: { origin: text("origin"), vkey: text("vkey") } }
        : undefined;
    case "heartbeat":
      return { kind, data: {} };
    case "key":
      return fits("vkey") ? { kind, data: { vkey: text("vkey") } } : undefined;
    case "retire":
      return keyIdForm.test(text("key")) ? { kind, data: { key: text("key") } } : undefined;
    case "fence":
    case "erase": {
      const kids = kidsOf(member(data, "kids"));
      if (!fits("act") || kids === undefined) return undefined;
      if (kind === "fence") return { kind, data: { act: text("act"), kids } };
      const counts = countsOf(objectAt(data, "counts"));
      return counts && { kind, data: { act: text("act"), kids, counts } };
    }
    default:
      return undefined;
  }
}

function countsOf(json: JsonObject): Readonly<Record<string, number>> | undefined {
  const counts = Object.keys(json).map((what) => [what, countAt(json, what)] as const);
  if (counts.some(([what, count]) => !visible.test(what) || Number.isNaN(count))) return undefined;
  return Object.fromEntries(counts);
}

function kidsOf(json: JsonValue | undefined): readonly Kid[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const kids = json.filter((kid): kid is Kid => typeof kid === "string" && isB64Of16(kid));
  return kids.length === json.length ? kids : undefined;
}

/** One line for each range of offsets that was not stored, ascending: what a coverage entry's `list` is the SHA-256 of. */
export const outcomeList = (outcomes: readonly OutcomeRow[]): string =>
  outcomes.map((outcome) => `${canonicalJson(lineOf(outcome))}\n`).join("");

type Line = { o: number; e: number; r: OutcomeRow["kind"]; code?: string; of?: Rid; m?: B64 };

function lineOf(outcome: OutcomeRow): Line {
  const range = { o: outcome.from, e: outcome.to, r: outcome.kind };
  switch (outcome.kind) {
    case "duplicate":
      return { ...range, of: outcome.original };
    case "conflict":
      return { ...range, of: outcome.original, m: outcome.commitment };
    case "rejected":
      return { ...range, code: outcome.rejection.reason, m: outcome.commitment };
    case "gap":
      return { ...range, code: outcome.cause };
  }
}
