/** The leaf entry of a record: the small RFC 8785 text that the log commits to. It names no person, and is stored verbatim. */

import { utf8 } from "./base64.ts";
import { type ActionType, actionTypes, type StreamKind } from "./event.ts";
import { type B64, type Kid, parseRid, type Rid, type StreamAlias } from "./ids.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";
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

const entryBytesMax = 4096;
const entryPartsMax = 16;
const visible = /^[\x21-\x7e]{1,200}$/;
/** Canonical base64url of 16 and of 32 bytes: the bits that the last digit has too many are zero. */
const b64Of16 = /^[\w-]{21}[AQgw]$/;
const b64Of32 = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** RFC 3339 in UTC with three decimals. */
export function isoTime(ms: number): string {
  const second = Math.floor(ms / 1_000);
  // Events of a batch lie close together: most are of the second of the one before.
  if (second !== lastSecond.second)
    lastSecond = { second, text: new Date(second * 1_000).toISOString().slice(0, -"000Z".length) };
  return `${lastSecond.text}${String(ms - second * 1_000).padStart(3, "0")}Z`;
}
let lastSecond = { second: 0, text: "1970-01-01T00:00:00." };
const isoTimeLength = 24;

/** The entry's text, or undefined where a field does not fit an entry: that event is rejected as ENTRY_TOO_LARGE. */
export function recordEntry(entry: RecordEntry): string | undefined {
  const fits =
    visible.test(entry.tenant) && visible.test(entry.producerService) && visible.test(entry.eventType);
  if (!fits) return undefined;
  const parts = entry.parts.map(({ c, h, k, m }) => `{"c":"${c}","h":"${h}","k":"${k}","m":"${m}"}`);
  const [producer, tenant, type] = [entry.producerService, entry.tenant, entry.eventType].map((name) =>
    JSON.stringify(name),
  );
  // RFC 8785 text: keys in its order, names quoted by JSON.stringify, and ids and times need no escape.
  const text =
    `{"act":"${entry.action}","at":"${isoTime(entry.recordedAtMs)}","kind":"${entry.kind}","parts":[${parts.join()}],"producer":${producer},` +
    `"rid":"${entry.rid}","stm":"${entry.alias}","t":"record","tenant":${tenant},"type":${type},"v":1,"ver":${entry.version}}`;
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
export const leafHash = (sha256: Sha256, entry: string): Uint8Array => sha256(utf8(`\0${entry}`));

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldsOf(json: JsonObject): RecordEntry | undefined {
  const text = (key: string): string => textOf(member(json, key));
  const recordedAtMs = Date.parse(text("at"));
  const action = ([...actionTypes, "none"] as const).find((known) => known === text("act"));
  const kind = (["change", "activity"] as const).find((known) => known === text("kind"));
  const version = member(json, "ver");
  const parts = partsOf(member(json, "parts"));
  if (action === undefined || kind === undefined || parts === undefined) return undefined;
  if (text("at").length !== isoTimeLength || Number.isNaN(recordedAtMs)) return undefined;
  if (parseRid(text("rid")) === undefined || !b64Of16.test(text("stm"))) return undefined;
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
    if (!b64Of16.test(k) || !b64Of32.test(h) || !b64Of32.test(m)) return undefined;
    parts.push({ c, k: k as Kid, h, m });
  }
  return parts;
}

const textOf = (json: JsonValue | undefined): string => (typeof json === "string" ? json : "");
