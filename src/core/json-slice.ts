/** Where the members of a JSON object lie in its bytes, so that answers repeat what was received to the byte. Only for text that the guard has accepted. */

export type Slice = { readonly start: number; readonly end: number };

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const byteOrderMark = [0xef, 0xbb, 0xbf];

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function afterSpace(json: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(json[at])) at++;
  return at;
}

/** Behind the closing quotation mark of the string that begins at `from`. */
function afterString(json: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return at + 1;
}

function afterValue(json: Uint8Array, from: number): number {
  if (json[from] === quote) return afterString(json, from);
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const byte = json[at];
    if (byte === quote) {
      at = afterString(json, at);
      continue;
    }
    if (depth === 0 && (byte === comma || byte === closeBrace || byte === closeBracket || isSpace(byte)))
      break;
    at++;
    if (byte === openBrace || byte === openBracket) depth++;
    if ((byte === closeBrace || byte === closeBracket) && --depth === 0) break;
  }
  return at;
}

/** Whether the text between these places is this ASCII text. */
function isAscii(json: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (json[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** Which of the ASCII names the string from `start` to `end`, quotation marks included, is. */
function nameAt(json: Uint8Array, start: number, end: number, names: readonly string[]): string | undefined {
  if (!json.subarray(start, end).includes(backslash))
    return names.find((name) => isAscii(json, start + 1, end - 1, name));
  const unescaped = JSON.parse(new TextDecoder().decode(json.subarray(start, end)));
  return names.find((name) => name === unescaped);
}

/** The values of those members of the outermost object that bear one of the names, which are ASCII. None when the text is no object. */
export function memberSlices(json: Uint8Array, names: readonly string[]): ReadonlyMap<string, Slice> {
  const slices = new Map<string, Slice>();
  let at = afterSpace(json, byteOrderMark.every((byte, i) => json[i] === byte) ? byteOrderMark.length : 0);
  if (json[at] !== openBrace) return slices;
  for (;;) {
    const key = afterSpace(json, at + 1);
    if (json[key] !== quote) return slices;
    const keyEnd = afterString(json, key);
    const mark = afterSpace(json, keyEnd);
    if (json[mark] !== colon) return slices;
    const start = afterSpace(json, mark + 1);
    const end = Math.min(afterValue(json, start), json.length);
    const name = nameAt(json, key, keyEnd, names);
    if (name !== undefined) slices.set(name, { start, end });
    at = afterSpace(json, end);
    if (json[at] !== comma) return slices;
  }
}
