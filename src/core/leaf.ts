/** The leaf entry of a record: the small RFC 8785 text that the log commits to. It names no person, and is stored verbatim. */
import { utf8 } from "./base64.ts";
import { type ActionType, actionTypes, type StreamKind } from "./event.ts";
import { type B64, type Kid, parseRid, type Rid, type StreamAlias } from "./ids.ts";
import type { Sha256 } from "./merkle.ts";

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
const nameLengthMax = 200;
const visible = new RegExp(`^[\\x21-\\x7e]{1,${nameLengthMax}}$`);

/** Canonical base64url of 16 and of 32 bytes: the bits that the last digit has too many are zero. */
const id16 = "[\\w-]{21}[AQgw]";
const id32 = "[\\w-]{42}[AEIMQUYcgkosw048]";
const [b64Of16, b64Of32] = [new RegExp(`^${id16}$`), new RegExp(`^${id32}$`)];
export const isB64Of16 = (text: string): boolean => b64Of16.test(text);
export const isB64Of32 = (text: string): boolean => b64Of32.test(text);

/** RFC 3339 in UTC with three decimals. */
export function isoTime(ms: number): string {
  const second = Math.floor(ms / 1_000);
  // Events of a batch lie close together: most are of the second of the one before.
  if (second !== lastSecond.second)
    lastSecond = { second, text: new Date(second * 1_000).toISOString().slice(0, -"000Z".length) };
  return `${lastSecond.text}${String(ms - second * 1_000).padStart(3, "0")}Z`;
}
let lastSecond = { second: 0, text: "1970-01-01T00:00:00." };

/** The entry's text, or undefined where a field does not fit an entry: that event is rejected as ENTRY_TOO_LARGE. */
export function recordEntry(entry: RecordEntry): string | undefined {
  const { tenant, producerService, eventType } = entry;
  if (!visible.test(tenant) || !visible.test(producerService) || !visible.test(eventType)) return undefined;
  let parts = "";
  for (const { c, h, k, m } of entry.parts)
    parts += `${parts === "" ? "" : ","}{"c":"${c}","h":"${h}","k":"${k}","m":"${m}"}`;
  // RFC 8785 text: keys in its order, names quoted by JSON.stringify, and ids and times need no escape.
  const text =
    `{"act":"${entry.action}","at":"${isoTime(entry.recordedAtMs)}","kind":"${entry.kind}","parts":[${parts}],"producer":${JSON.stringify(producerService)},` +
    `"rid":"${entry.rid}","stm":"${entry.alias}","t":"record","tenant":${JSON.stringify(tenant)},"type":${JSON.stringify(eventType)},"v":1,"ver":${entry.version}}`;
  // Every string in it is ASCII, so its length is its size in bytes.
  return text.length <= entryBytesMax ? text : undefined;
}

/** Milliseconds since the epoch; undefined for any text that `isoTime` would not write for the years 0 to 9999. */
export function entryTimeOf(text: string): number | undefined {
  const ms = text.length === isoTimeLength ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && isoTime(ms) === text ? ms : undefined;
}
const isoTimeLength = 24;

const name = '((?:[!#-[\\]-~]|\\\\["\\\\])+)';
const part = `\\{"c":"[spa]","h":"${id32}","k":"${id16}","m":"${id32}"\\}`;
/** What `recordEntry` writes, member by member: nothing unknown, missing, repeated, unordered or written another way fits. */
const form = new RegExp(
  `^\\{"act":"(${[...actionTypes, "none"].join("|")})","at":"(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z)","kind":"(change|activity)",` +
    `"parts":\\[(${part}(?:,${part}){0,${entryPartsMax - 1}})\\],"producer":"${name}","rid":"([^"]+)","stm":"(${id16})",` +
    `"t":"record","tenant":"${name}","type":"${name}","v":1,"ver":([1-9]\\d{0,15})\\}$`,
);

/** The fields of a record's entry; undefined for any text that `recordEntry` would not have written. */
export function parseRecordEntry(text: string): RecordEntry | undefined {
  const [, action, at = "", kind, parts = "", producer = "", rid = "", alias, tenant = "", type = "", ver] =
    (text.length <= entryBytesMax && form.exec(text)) || [];
  if (action === undefined) return undefined;
  const entry = {
    rid: rid as Rid,
    recordedAtMs: Date.parse(at),
    tenant: unescaped(tenant),
    producerService: unescaped(producer),
    eventType: unescaped(type),
    action: action as RecordEntry["action"],
    kind: kind as StreamKind,
    alias: alias as StreamAlias,
    version: Number(ver),
    parts: partsOf(parts),
  };
  return isWritten(entry, at) ? entry : undefined;
}

/** What the form leaves open: whether such a day exists, the length of names, the bounds of numbers. */
const isWritten = (entry: RecordEntry, at: string): boolean =>
  !Number.isNaN(entry.recordedAtMs) &&
  isoTime(entry.recordedAtMs) === at &&
  parseRid(entry.rid) !== undefined &&
  Number.isSafeInteger(entry.version) &&
  Math.max(entry.tenant.length, entry.producerService.length, entry.eventType.length) <= nameLengthMax;

/** Only the quotation mark and the backslash are escaped, each by a backslash. */
const unescaped = (name: string): string => (name.includes("\\") ? JSON.parse(`"${name}"`) : name);

const partLength = `{"c":"s","h":"","k":"","m":""}`.length + 43 + 22 + 43;
const [hAt, kAt, mAt] = [14, 64, 93];

/** Parts that have the form, joined by commas: each is as long as the others. */
function partsOf(text: string): readonly EntryPart[] {
  const parts: EntryPart[] = [];
  for (let at = 0; at < text.length; at += partLength + 1) {
    parts.push({
      c: text[at + 6] as EntryPart["c"],
      k: text.slice(at + kAt, at + kAt + 22) as Kid,
      h: text.slice(at + hAt, at + hAt + 43),
      m: text.slice(at + mAt, at + mAt + 43),
    });
  }
  return parts;
}

/** SHA-256(0x00 ‖ entry): the leaf of RFC 6962. */
export const leafHash = (sha256: Sha256, entry: string): Uint8Array => sha256(utf8(`\0${entry}`));
