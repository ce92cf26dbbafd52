/**
 * The guard before JSON.parse: one linear pass over hostile bytes that accepts RFC 8259 within bounds and nothing else.
 * What it lets through, JSON.parse accepts and canonicalisation survives: no deep nesting, no duplicate keys, no lone surrogates.
 */
import { losesValue, parseExactly } from "./canonical.ts";
import { faultOf, type Scan, type TokenRange, type Watch } from "./guard-fault.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { type Refused, type RejectReason, refuse } from "./outcome.ts";
import { parseJson } from "./parse-json.ts";
import type { ParseLimits } from "./parse-options.ts";

export type Guarded = {
  readonly ok: true;
  readonly value: JsonObject;
  /** The value with lossy numbers by their source text; the same object as `value` when there are none. */
  readonly exact: JsonObject;
  /** Watched string tokens, quotes included, as positions in the bytes given; ascending. */
  readonly watched: readonly TokenRange[];
};

const [quote, backslash, comma, colon, minus, plus, dot, zero, nine] = [
  0x22, 0x5c, 0x2c, 0x3a, 0x2d, 0x2b, 0x2e, 0x30, 0x39,
];
const [openObject, closeObject, openArray, closeArray, letterE, lowerE] = [
  0x7b, 0x7d, 0x5b, 0x5d, 0x45, 0x65,
];
/** Decimal numbers with as many significant digits survive parse-and-print; longer ones are looked at. */
const safeDigitsMax = 15;

const decoder = new TextDecoder("utf-8", { fatal: true });
const latin1 = (bytes: Uint8Array, start: number, end: number): string => {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
};

export function guardJson(bytes: Uint8Array, limits: ParseLimits, watch: Watch): Guarded | Refused {
  if (bytes.length > limits.valueBytesMax)
    return refuse(
      "TOO_LARGE",
      "",
      `The value is larger than ${limits.valueBytesMax} bytes: send less, or refer to the rest.`,
    );
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse("INVALID_UTF8", "", "The value is not UTF-8: encode the JSON text as UTF-8.");
  }
  const scan = startScan(bytes, limits, watch);
  skipSpace(scan);
  if (scan.at === scan.end) return refuse("EMPTY", "", "The value is empty: send one JSON object.");
  if (!scanDocument(scan)) return faultOf(scan);
  const value = parseJson(text);
  if (countKeys(value) !== scan.keys) return duplicateKey(bytes, limits, watch);
  if (!isJsonObject(value))
    return refuse("NOT_OBJECT", "", "The value is JSON but not an object: send the standard envelope.");
  return {
    ok: true,
    value,
    exact: scan.lossy ? (parseExactly(text) as JsonObject) : value,
    watched: scan.watched,
  };
}

/** Parsing keeps one of two equal keys, so a tree with fewer keys than the text had a duplicate. */
function countKeys(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) count += countKeys(item);
    return count;
  }
  const members = Object.values(value as JsonObject);
  for (const item of members) count += countKeys(item);
  return count + members.length;
}

/** A second pass that remembers keys, to say where. */
function duplicateKey(bytes: Uint8Array, limits: ParseLimits, watch: Watch): Refused {
  const scan = startScan(bytes, limits, watch);
  scan.seen = [];
  skipSpace(scan);
  scanDocument(scan);
  return faultOf(scan);
}

function startScan(bytes: Uint8Array, limits: ParseLimits, watch: Watch): Scan {
  const byteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return {
    bytes,
    limits,
    watch,
    at: byteOrderMark ? 3 : 0,
    end: bytes.length,
    depth: 0,
    nodes: 0,
    keys: 0,
    matched: 0,
    lossy: false,
    escaped: false,
    commaAt: -1,
    ended: false,
    seen: undefined,
    watched: [],
    fault: undefined,
    keyStarts: [],
    keyEnds: [],
  };
}

const fail = (scan: Scan, reason: RejectReason): false => {
  scan.fault = reason;
  return false;
};

function skipSpace(scan: Scan): void {
  const { bytes } = scan;
  for (;;) {
    const byte = bytes[scan.at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    scan.at++;
  }
}

function scanDocument(scan: Scan): boolean {
  if (!scanValue(scan)) return false;
  scan.ended = true;
  skipSpace(scan);
  return scan.at === scan.end || fail(scan, "INVALID_JSON");
}

function scanValue(scan: Scan): boolean {
  if (++scan.nodes > scan.limits.nodesMax) return fail(scan, "TOO_MANY_NODES");
  switch (scan.bytes[scan.at]) {
    case quote:
      return scanString(scan, scan.limits.stringBytesMax, "STRING_TOO_LONG");
    case openObject:
      return scanObject(scan);
    case openArray:
      return scanArray(scan);
    case 0x74:
      return scanWord(scan, "true");
    case 0x66:
      return scanWord(scan, "false");
    case 0x6e:
      return scanWord(scan, "null");
    default:
      return scanNumber(scan);
  }
}

function scanWord(scan: Scan, word: string): boolean {
  for (let i = 0; i < word.length; i++)
    if (scan.bytes[scan.at + i] !== word.charCodeAt(i)) return fail(scan, "INVALID_JSON");
  scan.at += word.length;
  return true;
}

function scanArray(scan: Scan): boolean {
  if (scan.depth > scan.limits.depthMax) return fail(scan, "TOO_DEEP");
  const level = scan.depth++;
  scan.at++;
  skipSpace(scan);
  if (scan.bytes[scan.at] === closeArray) return leave(scan);
  for (let index = 0; ; index++) {
    scan.keyStarts[level] = index;
    scan.keyEnds[level] = -1;
    if (!scanValue(scan)) return false;
    skipSpace(scan);
    const byte = scan.bytes[scan.at];
    if (byte === closeArray) return leave(scan);
    if (byte !== comma) return fail(scan, "INVALID_JSON");
    scan.commaAt = scan.at++;
    skipSpace(scan);
  }
}

function leave(scan: Scan): true {
  scan.at++;
  scan.depth--;
  return true;
}

function scanObject(scan: Scan): boolean {
  if (scan.depth > scan.limits.depthMax) return fail(scan, "TOO_DEEP");
  const level = scan.depth++;
  if (scan.seen !== undefined) scan.seen[level] = new Set();
  scan.at++;
  skipSpace(scan);
  scan.keyEnds[level] = 0;
  if (scan.bytes[scan.at] === closeObject) return leave(scan);
  for (let count = 1; ; count++) {
    if (count > scan.limits.keysPerObjectMax) return fail(scan, "TOO_MANY_NODES");
    if (!scanKey(scan, level) || !scanMember(scan, level)) return false;
    skipSpace(scan);
    const byte = scan.bytes[scan.at];
    if (byte === closeObject) return leave(scan);
    if (byte !== comma) return fail(scan, "INVALID_JSON");
    scan.commaAt = scan.at++;
    skipSpace(scan);
    scan.keyEnds[level] = 0;
  }
}

function scanKey(scan: Scan, level: number): boolean {
  const start = scan.at;
  if (scan.bytes[start] !== quote) return fail(scan, "INVALID_JSON");
  scan.escaped = false;
  if (!scanString(scan, scan.limits.keyBytesMax, "KEY_TOO_LONG")) return false;
  // Before the key is noted: a pointer with NUL in it would do harm further on.
  if (scan.escaped && keyText(scan, start).includes("\u0000")) return fail(scan, "INVALID_KEY");
  scan.keys++;
  scan.keyStarts[level] = start;
  scan.keyEnds[level] = scan.at;
  const seen = scan.seen?.[level];
  if (seen !== undefined) {
    const key = keyText(scan, start);
    if (seen.has(key)) return fail(scan, "DUPLICATE_KEY");
    seen.add(key);
  }
  skipSpace(scan);
  if (scan.bytes[scan.at] !== colon) return fail(scan, "INVALID_JSON");
  scan.at++;
  skipSpace(scan);
  return true;
}

const keyText = (scan: Scan, start: number): string =>
  JSON.parse(decoder.decode(scan.bytes.subarray(start, scan.at))) as string;

/** The value after a key; on the watched path it looks for the watched names. */
function scanMember(scan: Scan, level: number): boolean {
  const { path, names } = scan.watch;
  if (scan.matched !== level || level > path.length) return scanValue(scan);
  if (level === path.length) {
    const start = scan.at;
    const isWatched = scan.bytes[start] === quote && isOneOf(scan, level, names);
    if (!scanValue(scan)) return false;
    if (isWatched) scan.watched.push({ start, end: scan.at });
    return true;
  }
  if (!isKey(scan, level, path[level] as string)) return scanValue(scan);
  scan.matched = level + 1;
  const valid = scanValue(scan);
  scan.matched = level;
  return valid;
}

function isOneOf(scan: Scan, level: number, names: readonly string[]): boolean {
  for (const name of names) if (isKey(scan, level, name)) return true;
  return false;
}

/** Whether the last key at the level is the name (ASCII), however it is escaped. */
function isKey(scan: Scan, level: number, name: string): boolean {
  const start = scan.keyStarts[level] as number;
  const end = scan.keyEnds[level] as number;
  if (scan.escaped) return JSON.parse(latin1(scan.bytes, start, end)) === name;
  if (end - start - 2 !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (scan.bytes[start + 1 + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** 1 for bytes that stand for themselves inside a string. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte !== quote && byte !== backslash ? 1 : 0,
);

function scanString(scan: Scan, bytesMax: number, tooLong: RejectReason): boolean {
  const { bytes } = scan;
  const start = scan.at + 1;
  let at = start;
  for (;;) {
    while (plain[bytes[at] as number] === 1) at++;
    const byte = bytes[at];
    if (byte === quote) break;
    scan.at = at;
    if (byte !== backslash) return fail(scan, "INVALID_JSON");
    if (!scanEscape(scan)) return false;
    at = scan.at;
  }
  scan.at = at + 1;
  return at - start <= bytesMax || fail(scan, tooLong);
}

/** Escapes of one character: `"` `\` `/` b f n r t. */
const simpleEscapes = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

function scanEscape(scan: Scan): boolean {
  scan.escaped = true;
  const kind = scan.bytes[scan.at + 1] as number;
  if (simpleEscapes.has(kind)) {
    scan.at += 2;
    return true;
  }
  const unit = kind === 0x75 ? hexUnit(scan, scan.at + 2) : -1;
  if (unit < 0) return fail(scan, "INVALID_JSON");
  if (unit < 0xd800 || unit > 0xdfff) {
    scan.at += 6;
    return true;
  }
  const pair =
    scan.bytes[scan.at + 6] === backslash && scan.bytes[scan.at + 7] === 0x75
      ? hexUnit(scan, scan.at + 8)
      : -1;
  if (unit > 0xdbff || pair < 0xdc00 || pair > 0xdfff) return fail(scan, "ILL_FORMED_STRING");
  scan.at += 12;
  return true;
}

/** The UTF-16 unit of four hex digits, −1 if they are not. */
function hexUnit(scan: Scan, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = scan.bytes[i] as number;
    const lower = byte | 0x20;
    if (byte >= zero && byte <= nine) unit = unit * 16 + byte - zero;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return -1;
  }
  return unit;
}

/** Moves past digits and says how many there were. */
function skipDigits(scan: Scan): number {
  const start = scan.at;
  for (;;) {
    const byte = scan.bytes[scan.at] as number;
    if (!(byte >= zero && byte <= nine)) return scan.at - start;
    scan.at++;
  }
}

function scanNumber(scan: Scan): boolean {
  const start = scan.at;
  if (scan.bytes[start] === minus) scan.at++;
  const leadingZero = scan.bytes[scan.at] === zero;
  let digits = skipDigits(scan);
  if (digits === 0 || (leadingZero && digits > 1)) return fail(scan, "INVALID_JSON");
  if (scan.bytes[scan.at] === dot) {
    scan.at++;
    const fraction = skipDigits(scan);
    if (fraction === 0) return fail(scan, "INVALID_JSON");
    digits += fraction;
  }
  const mark = scan.bytes[scan.at];
  const exponent = mark === letterE || mark === lowerE;
  if (exponent) {
    const sign = scan.bytes[++scan.at];
    if (sign === plus || sign === minus) scan.at++;
    if (skipDigits(scan) === 0) return fail(scan, "INVALID_JSON");
  }
  if (scan.at - start > scan.limits.numberCharsMax) return fail(scan, "NUMBER_TOO_LONG");
  return (
    (digits <= safeDigitsMax && !exponent) || scanUnusualNumber(scan, latin1(scan.bytes, start, scan.at))
  );
}

function scanUnusualNumber(scan: Scan, text: string): boolean {
  if (!Number.isFinite(Number(text))) return fail(scan, "NUMBER_RANGE");
  if (losesValue(text)) scan.lossy = true;
  return true;
}
