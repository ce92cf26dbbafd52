/**
 * JSON.parse for texts of others. V8 may read an escaped name of a member as another name that it saw before in that place, `"\n"` as a
 * backslash (nodejs/node#63785), and two different events would become one: such names stand aside while it parses.
 */
import type { JsonValue } from "./json.ts";

/** Given what JSON.parse gives its reviver. */
export type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** From inside a string to its end, and the colon behind it. */
const restOfString = /[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/sy;
const stringToken = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?/gs;

/** The text must be JSON; throws a SyntaxError otherwise. */
export function parseJson(text: string, reviver?: Reviver): JsonValue {
  if (!hasEscapedName(text)) return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]);
  const mark = absentFrom(text);
  const names: string[] = [];
  const plain = text.replace(stringToken, (whole: string, token: string, colon: string | undefined) => {
    if (colon === undefined || !token.includes("\\")) return whole;
    names.push(JSON.parse(token));
    return `"${mark}${names.length - 1}"${colon}`;
  });
  const parsed: JsonValue = JSON.parse(plain, reviver as Parameters<typeof JSON.parse>[1]);
  const nameOf = (key: string): string =>
    key.startsWith(mark) ? (names[Number(key.slice(mark.length))] ?? key) : key;
  return renamed(parsed, nameOf);
}

/** Looks at each string with an escape once: a search that began anew at every escape would take the square of the text's time. */
function hasEscapedName(text: string): boolean {
  let at = text.indexOf("\\");
  while (at >= 0) {
    restOfString.lastIndex = at;
    const rest = restOfString.exec(text);
    if (rest === null) return false;
    if (rest[1] !== undefined) return true;
    at = text.indexOf("\\", restOfString.lastIndex);
  }
  return false;
}

/** Needs no escape, is short whatever the text holds, and no name in the text begins with it. */
function absentFrom(text: string): string {
  const taken = new Set([...text.matchAll(/\uffff(\d+)/g)].map(([, number]) => number));
  let number = 0;
  while (taken.has(String(number))) number++;
  return `\uffff${number}.`;
}

function renamed(value: JsonValue, nameOf: (key: string) => string): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, nameOf));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [nameOf(key), renamed(item, nameOf)]));
}
