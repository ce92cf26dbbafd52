/** The leaf entry of a record: the small RFC 8785 text that the log commits to. It names no person, and is stored verbatim. */
import { type ActionType, actionTypes, type StreamKind } from "./event.ts";
import { type B64, type Kid, parseRid, type Rid, type StreamAlias } from "./ids.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";

/** A sealed part as the log knows it: class and id of its key, SHA-256 of its bytes, commitment to its plaintext. */
export type EntryPart = {
  readonly c: "s" | "p" | "a";
  readonly k: Kid;
  readonly h: B64;
  readonly m: B64;
};

export type RecordEntry = {
  readonly rid: Rid;
  readonly recordedAtMs: number;
  readonly tenant: string;
  readonly producerService: string;
  readonly eventType: string;
  readonly action: ActionType | "none";
  readonly kind: StreamKind;
  readonly alias: StreamAlias;
  readonly version: number;
  readonly parts: readonly EntryPart[];
};

/** Of any entry of the log, in UTF-8. */
export const entryBytesMax = 4096;
const entryPartsMax = 16;
const visible = /^[\x21-\x7e]{1,200}$/;
/** Canonical base64url of 16 and of 32 bytes: the bits that the last digit has too many are zero. */
const b64Of16 = /^[\w-]{21}[AQgw]$/;
const b64Of32 = /^[\w-]{42}[AEIMQUYcgkosw048]$/;
export const isB64Of16 = (text: string): boolean => b64Of16.test(text);
export const isB64Of32 = (text: string): boolean => b64Of32.test(text);

/** RFC 3339 in UTC with three decimals. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();
const isoTimeLength = 24;

/** Milliseconds since the epoch; undefined for any text that `isoTime` would not write for the years 0 to 9999. */
export function entryTimeOf(text: string): number | undefined {
  const ms = text.length === isoTimeLength ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && isoTime(ms) === text ? ms : undefined;
}

/** The entry's text, or undefined where a field does not fit an entry: that event is rejected as ENTRY_TOO_LARGE. */
export function recordEntry(entry: RecordEntry): string | undefined {
  const fits =
    visible.test(entry.tenant) && visible.test(entry.producerService) && visible.test(entry.eventType);
  if (!fits) return undefined;
  // Written in the order RFC 8785 sorts keys, so that JSON.stringify gives its canonical text.
  const text = JSON.stringify({
    act: entry.action,
    at: isoTime(entry.recordedAtMs),
    kind: entry.kind,
    parts: entry.parts.map(({ c, h, k, m }) => ({ c, h, k, m })),
    producer: entry.producerService,
    rid: entry.rid,
    stm: entry.alias,
    t: "record",
    tenant: entry.tenant,
    type: entry.eventType,
    v: 1,
    ver: entry.version,
  });
  // Every string in it is ASCII, so its length is its size in bytes.
  return text.length <= entryBytesMax ? text : undefined;
}

/** The fields of a record's entry; undefined for any text that `recordEntry` would not have written. */
export function parseRecordEntry(text: string): RecordEntry | undefined {
  const json = text.length <= entryBytesMax ? parsed(text) : undefined;
  if (!isJsonObject(json)) return undefined;
  const entry = fieldsOf(json);
  // Writing it again and comparing refuses unknown, missing, repeated and unordered members at once.
  return entry !== undefined && recordEntry(entry) === text ? entry : undefined;
}

/** SHA-256(0x00 ‖ entry): the leaf of RFC 6962. */
export const leafHash = (sha256: (bytes: Uint8Array) => Uint8Array, entry: string): Uint8Array =>
  sha256(new TextEncoder().encode(`\0${entry}`));

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsOf(json: JsonObject): RecordEntry | undefined {
  const text = (key: string): string => textOf(member(json, key));
  const recordedAtMs = entryTimeOf(text("at"));
  const action = ([...actionTypes, "none"] as const).find((known) => known === text("act"));
  const kind = (["change", "activity"] as const).find((known) => known === text("kind"));
  const version = member(json, "ver");
  const parts = partsOf(member(json, "parts"));
  if (action === undefined || kind === undefined || parts === undefined) return undefined;
  if (recordedAtMs === undefined || parseRid(text("rid")) === undefined) return undefined;
  if (!isB64Of16(text("stm"))) return undefined;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) return undefined;
  return {
    rid: text("rid") as Rid,
    recordedAtMs,
    tenant: text("tenant"),
    producerService: text("producer"),
    eventType: text("type"),
    action,
    kind,
    alias: text("stm") as StreamAlias,
    version,
    parts,
  };
}

function partsOf(json: JsonValue | undefined): readonly EntryPart[] | undefined {
  if (!Array.isArray(json) || json.length < 1 || json.length > entryPartsMax) return undefined;
  const parts: EntryPart[] = [];
  for (const item of json as readonly JsonValue[]) {
    if (!isJsonObject(item)) return undefined;
    const [c, k] = [textOf(member(item, "c")), textOf(member(item, "k"))];
    const [h, m] = [textOf(member(item, "h")), textOf(member(item, "m"))];
    if (c !== "s" && c !== "p" && c !== "a") return undefined;
    if (!isB64Of16(k) || !isB64Of32(h) || !isB64Of32(m)) return undefined;
    parts.push({ c, k: k as Kid, h, m });
  }
  return parts;
}

const textOf = (json: JsonValue | undefined): string => (typeof json === "string" ? json : "");
