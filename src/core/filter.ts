/** Search filters: a subset of AIP-160, parsed by hand into a checked list of conditions that must all hold. Hostile text costs linear time. */
import { LastroError } from "./errors.ts";
import { parseTimestamp } from "./timestamp.ts";

export type FieldType = "text" | "time" | "boolean";
export type FilterOperator = "=" | "<" | "<=" | ">" | ">=";
export type FilterCondition<Field extends string> = {
  readonly field: Field;
  readonly operator: FilterOperator;
  readonly value: string | number | boolean;
};

export const filterBytesMax = 4096;
export const filterDepthMax = 20;
/** Conditions and parentheses together. */
export const filterNodesMax = 64;

type Token = {
  readonly at: number;
  readonly end: number;
  readonly text: string;
  readonly kind: "word" | "quoted" | "sign";
};
type Reader = { readonly text: string; at: number; nodes: number };

const refuse = (at: number, why: string): never => {
  throw new LastroError("INVALID_ARGUMENT", `filter, character ${at + 1}: ${why}`, { field: "filter" });
};
const notYet = (at: number, what: string): never =>
  refuse(at, `${what} is not supported yet; write conditions with = < <= > >= joined by AND`);

const isSpace = (c: string): boolean => c === " " || c === "\t" || c === "\n" || c === "\r";
const signs = new Set(["(", ")", "=", "!", "<", ">", ":", ","]);
const isQuote = (c: string): boolean => c === '"' || c === "'";
const twoSigns = new Set(["<=", ">=", "!="]);
const operators: ReadonlySet<string> = new Set<FilterOperator>(["=", "<", "<=", ">", ">="]);
const isOperator = (text: string): text is FilterOperator => operators.has(text);

function quoted(text: string, at: number): Token {
  const quote = text[at];
  const pieces: string[] = [];
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === quote) return { at, end: i + 1, text: pieces.join(""), kind: "quoted" };
    if (c === "*") notYet(i, "a wildcard (write \\* for the character itself)");
    if (c === "\\") i++;
    pieces.push(text[i] ?? "");
  }
  return refuse(at, "the quotation mark is never closed");
}

/** The next token without taking it. A bare value runs to the next space or parenthesis, so that times need no quotation marks. */
function peek(reader: Reader, as: "name" | "value" = "name"): Token | undefined {
  const { text } = reader;
  let at = reader.at;
  while (at < text.length && isSpace(text[at] ?? "")) at++;
  reader.at = at;
  const first = text[at];
  if (first === undefined) return undefined;
  if (isQuote(first)) return quoted(text, at);
  const two = text.slice(at, at + 2);
  if (twoSigns.has(two)) return { at, end: at + 2, text: two, kind: "sign" };
  if (signs.has(first)) return { at, end: at + 1, text: first, kind: "sign" };
  let end = at;
  for (; end < text.length; end++) {
    const c = text[end] ?? "";
    if (isSpace(c) || isQuote(c) || c === "(" || c === ")") break;
    if (as === "name" && signs.has(c)) break;
    if (as === "value" && c === "*") notYet(end, 'a wildcard (write "\\*" for the character itself)');
  }
  return { at, end, text: text.slice(at, end), kind: "word" };
}

/** Only what looks like a name is repeated in a message: anything else may be somebody's data. */
const named = (word: string): string => (/^[A-Za-z_.$]{1,64}$/.test(word) ? ` ${word}` : "");

function readValue(token: Token, field: string, type: FieldType): string | number | boolean {
  if (type === "text") return token.text;
  if (type === "boolean") {
    if (token.text !== "true" && token.text !== "false") refuse(token.at, `${field} is true or false`);
    return token.text === "true";
  }
  const time = parseTimestamp(token.text, Number.MAX_SAFE_INTEGER);
  return time.ok ? time.ms : refuse(token.at, `the time for ${field} ${time.expected}`);
}

function comparison<Field extends string>(
  reader: Reader,
  fields: Readonly<Record<Field, FieldType>>,
  name: Token,
): FilterCondition<Field> {
  const isField = (word: string): word is Field => Object.hasOwn(fields, word);
  if (name.kind === "word" && (name.text === "NOT" || name.text.startsWith("-"))) notYet(name.at, "NOT");
  if (name.kind !== "word") return refuse(name.at, "a field name is expected here");
  const field = name.text;
  if (!isField(field)) {
    return refuse(name.at, `there is no field${named(field)}; fields are ${Object.keys(fields).join(", ")}`);
  }
  reader.at = name.end;
  const operator = peek(reader);
  if (operator?.text === ":" || operator?.text === "!=") return notYet(operator.at, operator.text);
  if (operator === undefined || operator.kind !== "sign" || !isOperator(operator.text)) {
    return refuse(operator?.at ?? reader.at, `${field} must be followed by = < <= > or >=`);
  }
  const type = fields[field];
  if (operator.text !== "=" && type !== "time") {
    return refuse(operator.at, `${field} can only be compared with =`);
  }
  reader.at = operator.end;
  const token = peek(reader, "value");
  if (token === undefined || token.kind === "sign") {
    return refuse(token?.at ?? reader.at, `a value for ${field} is expected here`);
  }
  reader.at = token.end;
  return { field, operator: operator.text, value: readValue(token, field, type) };
}

function conjunction<Field extends string>(
  reader: Reader,
  fields: Readonly<Record<Field, FieldType>>,
  depth: number,
): FilterCondition<Field>[] {
  const found: FilterCondition<Field>[] = [];
  for (;;) {
    const token = peek(reader);
    if (token === undefined) return refuse(reader.at, "a condition is expected here");
    if (++reader.nodes > filterNodesMax)
      refuse(token.at, `more than ${filterNodesMax} conditions and parentheses`);
    if (token.kind === "sign" && token.text === "(") {
      if (depth >= filterDepthMax) refuse(token.at, `parentheses are more than ${filterDepthMax} deep`);
      reader.at = token.end;
      found.push(...conjunction(reader, fields, depth + 1));
      const close = peek(reader);
      if (close?.text !== ")" || close.kind !== "sign")
        return refuse(token.at, "the parenthesis is never closed");
      reader.at = close.end;
    } else found.push(comparison(reader, fields, token));
    const next = peek(reader);
    if (next === undefined || (next.kind === "sign" && next.text === ")")) return found;
    if (next.kind === "word" && next.text === "OR") notYet(next.at, "OR");
    if (next.kind !== "word" || next.text !== "AND") refuse(next.at, "conditions are joined by AND");
    reader.at = next.end;
  }
}

/** A lower bound above the upper one can only be a mistake. */
function refuseEmptyRanges(conditions: readonly FilterCondition<string>[]): void {
  const bounds = new Map<string, { low: number; high: number }>();
  for (const { field, operator, value } of conditions) {
    if (typeof value !== "number") continue;
    const range = bounds.get(field) ?? { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
    if (operator !== "<" && operator !== "<=") range.low = Math.max(range.low, value);
    if (operator !== ">" && operator !== ">=") range.high = Math.min(range.high, value);
    bounds.set(field, range);
    if (range.low > range.high) refuse(0, `the range of ${field} ends before it begins`);
  }
}

/** The conditions of a filter, all of which must hold; an empty filter has none. Throws nothing but INVALID_ARGUMENT. */
export function parseFilter<Field extends string>(
  text: string,
  fields: Readonly<Record<Field, FieldType>>,
): readonly FilterCondition<Field>[] {
  if (text.length > filterBytesMax || new TextEncoder().encode(text).length > filterBytesMax) {
    refuse(0, `a filter has at most ${filterBytesMax} bytes`);
  }
  const reader: Reader = { text, at: 0, nodes: 0 };
  if (peek(reader) === undefined) return [];
  const conditions = conjunction(reader, fields, 0);
  const rest = peek(reader);
  if (rest !== undefined) refuse(rest.at, "the parenthesis was never opened");
  refuseEmptyRanges(conditions);
  return conditions;
}
