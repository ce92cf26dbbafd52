/** The words of a filter, one at a time. Hostile text costs linear time; a message repeats nothing that may be somebody's data. */
import { LastroError } from "./errors.ts";

export type Token = {
  readonly at: number;
  readonly end: number;
  readonly text: string;
  readonly kind: "word" | "quoted" | "sign";
  /** A quoted text that ended with a wildcard. */
  readonly isPrefix: boolean;
};
export type Reader = { readonly text: string; at: number; nodes: number; terms: number };

export function refuse(at: number, why: string): never {
  throw new LastroError("INVALID_ARGUMENT", `filter, character ${at + 1}: ${why}`, { field: "filter" });
}
export const refuseWildcard = (at: number): never =>
  refuse(
    at,
    'a wildcard * stands only at the end of a text in quotation marks, as in "a*"; \\* is the character itself',
  );

const isSpace = (c: string): boolean => c === " " || c === "\t" || c === "\n" || c === "\r";
const isQuote = (c: string): boolean => c === '"' || c === "'";
const signs = new Set(["(", ")", "=", "!", "<", ">", ":", ","]);
const twoSigns = new Set(["<=", ">=", "!="]);

function quoted(text: string, at: number): Token {
  const quote = text[at];
  const pieces: string[] = [];
  let isPrefix = false;
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === quote) return { at, end: i + 1, text: pieces.join(""), kind: "quoted", isPrefix };
    if (c === "*") {
      isPrefix = text[i + 1] === quote || refuseWildcard(i);
      continue;
    }
    if (c === "\\") i++;
    pieces.push(text[i] ?? "");
  }
  return refuse(at, "the quotation mark is never closed");
}

function bareEnd(text: string, at: number, as: "name" | "value"): number {
  let end = at;
  for (; end < text.length; end++) {
    const c = text[end] ?? "";
    if (isSpace(c) || isQuote(c) || c === "(" || c === ")") break;
    if (as === "name" && signs.has(c)) break;
  }
  return end;
}

/** The next token without taking it. A bare value runs to the next space, quotation mark or parenthesis, so that times need no quotation marks. */
export function peek(reader: Reader, as: "name" | "value" = "name"): Token | undefined {
  const { text } = reader;
  let at = reader.at;
  while (at < text.length && isSpace(text[at] ?? "")) at++;
  reader.at = at;
  const first = text[at];
  if (first === undefined) return undefined;
  if (isQuote(first)) return quoted(text, at);
  const two = text.slice(at, at + 2);
  if (twoSigns.has(two)) return { at, end: at + 2, text: two, kind: "sign", isPrefix: false };
  if (signs.has(first) || (first === "-" && as === "name"))
    return { at, end: at + 1, text: first, kind: "sign", isPrefix: false };
  const end = bareEnd(text, at, as);
  return { at, end, text: text.slice(at, end), kind: "word", isPrefix: false };
}

/** Whether it comes next; if so, it is taken. */
function take(reader: Reader, kind: Token["kind"], text: string): boolean {
  const next = peek(reader);
  if (next?.kind !== kind || next.text !== text) return false;
  reader.at = next.end;
  return true;
}
export const takeSign = (reader: Reader, sign: string): boolean => take(reader, "sign", sign);
export const takeWord = (reader: Reader, word: string): boolean => take(reader, "word", word);

const keywords: ReadonlySet<string> = new Set(["AND", "OR", "NOT"]);
export const isKeyword = (token: Token): boolean => token.kind === "word" && keywords.has(token.text);
