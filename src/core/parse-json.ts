/**
 * JSON.parse for texts of others. V8 may read an escaped name of a member as another name that it saw before in that place, `"\n"` as a
 * backslash (nodejs/node#63785), and two different events would become one: such names stand aside while it parses.
 */
import type { JsonValue } from "./json.ts";

/** Given what JSON.parse gives its reviver. */
export type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** Looks behind an escape for the end of its string and a colon. It may find one too many, never one too few. */
const escapedName = /\\.[^"\\]*(?:\\.[^"\\]*)*"\s*:/s;
const stringToken = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?/gs;

/** The text must be JSON; throws a SyntaxError otherwise. */
export function parseJson(text: string, reviver?: Reviver): JsonValue {
  if (!escapedName.test(text)) return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]);
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

/** Needs no escape, and nothing in the text is mistaken for it. */
function absentFrom(text: string): string {
  let mark = "\uffff";
  while (text.includes(mark)) mark += "\uffff";
  return mark;
}

function renamed(value: JsonValue, nameOf: (key: string) => string): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, nameOf));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [nameOf(key), renamed(item, nameOf)]));
}
