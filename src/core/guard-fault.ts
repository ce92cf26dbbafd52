/** Says where the guard stopped and what the producer should do. Quotes no value of the event, only the keys on the way. */
import { pointerSegment } from "./json-pointer.ts";
import { type Refused, type RejectReason, refuse } from "./outcome.ts";
import type { ParseLimits } from "./parse-options.ts";

/** Where string tokens are to be found: the members `names` of the object at `path`. */
export type Watch = { readonly path: readonly string[]; readonly names: readonly string[] };
/** Bytes [start, end) of the text. */
export type TokenRange = { readonly start: number; readonly end: number };

/** State of one pass of the guard. Level n is the n-th open container, the event's own being 0. */
export type Scan = {
  readonly bytes: Uint8Array;
  readonly limits: ParseLimits;
  readonly watch: Watch;
  at: number;
  readonly end: number;
  /** Open containers. */
  depth: number;
  nodes: number;
  keys: number;
  /** How many segments of the watched path lead to where we are. */
  matched: number;
  lossy: boolean;
  /** Whether the last key holds an escape. */
  escaped: boolean;
  commaAt: number;
  /** Whether the document is complete, so that what follows is too much. */
  ended: boolean;
  /** Keys by level; only in the pass that looks for a duplicate. */
  seen: Set<string>[] | undefined;
  readonly watched: TokenRange[];
  fault: RejectReason | undefined;
  /** By level: position of the key token, or the index in an array. */
  readonly keyStarts: number[];
  /** By level: end of the key token, −1 in an array, 0 between two members. */
  readonly keyEnds: number[];
};

/** Pointers are cut to whole segments within this length. */
const pointerCharsMax = 512;

function pointerOf(scan: Scan): string {
  let pointer = "";
  for (let level = 0; level < scan.depth; level++) {
    const [start, end] = [scan.keyStarts[level] as number, scan.keyEnds[level] as number];
    if (end === 0) return pointer;
    const key =
      end < 0 ? start : (JSON.parse(new TextDecoder().decode(scan.bytes.subarray(start, end))) as string);
    const next = pointer + pointerSegment(key);
    if (next.length > pointerCharsMax) return pointer;
    pointer = next;
  }
  return pointer;
}

/** Line and column from 1, in characters. */
function placeOf(bytes: Uint8Array, at: number): string {
  let [line, column] = [1, 1];
  for (let i = 0; i < at; i++) {
    const byte = bytes[i] as number;
    if (byte === 0x0a) [line, column] = [line + 1, 1];
    else if ((byte & 0xc0) !== 0x80) column++;
  }
  return `line ${line}, column ${column}`;
}

const closers = new Set([0x7d, 0x5d]);

/** What is wrong with the text, and where: a comma too many is reported at the comma. */
function syntaxFault(scan: Scan): { readonly at: number; readonly hint: string } {
  const { bytes, at, commaAt } = scan;
  const byte = bytes[at];
  if (byte === undefined || at >= scan.end) return { at, hint: "the text ends too early (truncated)" };
  if (closers.has(byte) && commaAt >= 0 && isBlank(bytes, commaAt + 1, at))
    return { at: commaAt, hint: "trailing comma: remove the comma before the closing bracket" };
  if (scan.ended) return { at, hint: "more text follows the JSON object: send one object per message" };
  if (byte === 0x27) return { at, hint: "use double quotes, not single ones" };
  if (byte === 0x2f || byte === 0x23) return { at, hint: "JSON has no comments" };
  if (byte < 0x20) return { at, hint: "escape control characters inside strings" };
  return {
    at,
    hint: "unexpected character: only RFC 8259 JSON is accepted (no NaN, Infinity, hexadecimal numbers, leading zeros or bare words)",
  };
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (![0x20, 0x0a, 0x0d, 0x09].includes(bytes[i] as number)) return false;
  return true;
}

export function faultOf(scan: Scan): Refused {
  const { limits } = scan;
  const reason = scan.fault ?? "INVALID_JSON";
  if (reason === "INVALID_JSON") {
    if (scan.bytes[scan.at] === 0 && scan.at < 2)
      return refuse(
        "INVALID_UTF8",
        "",
        "The value looks like UTF-16 or UTF-32: encode the JSON text as UTF-8.",
      );
    const { at, hint } = syntaxFault(scan);
    return refuse(reason, pointerOf(scan), `The value is not JSON at ${placeOf(scan.bytes, at)}: ${hint}.`);
  }
  return refuse(
    reason,
    pointerOf(scan),
    `${sentences[reason]?.(limits) ?? "The value is refused"} (${placeOf(scan.bytes, scan.at)}).`,
  );
}

const sentences: Partial<Record<RejectReason, (limits: ParseLimits) => string>> = {
  ILL_FORMED_STRING: () =>
    "A \\u escape is half of a surrogate pair: write both halves, or the character itself",
  TOO_DEEP: (limits) =>
    `Objects and arrays are nested more than ${limits.depthMax} deep: flatten the payload`,
  TOO_MANY_NODES: (limits) =>
    `An object has more than ${limits.keysPerObjectMax} keys or the event more than ${limits.nodesMax} values: split the event`,
  STRING_TOO_LONG: (limits) =>
    `A string is longer than ${limits.stringBytesMax} bytes: store it elsewhere and refer to it`,
  KEY_TOO_LONG: (limits) => `A key is longer than ${limits.keyBytesMax} bytes: shorten it`,
  INVALID_KEY: () => "A key contains the character NUL: remove it",
  DUPLICATE_KEY: () => "A key appears twice in one object: send it once",
  NUMBER_TOO_LONG: (limits) =>
    `A number has more than ${limits.numberCharsMax} characters: send it as a string`,
  NUMBER_RANGE: () => "A number is too large for a double: send it as a string",
};
