/** Search filters: a subset of AIP-160 (docs/search.md), parsed by hand into a checked tree of comparisons. */
import {
  isKeyword,
  peek,
  type Reader,
  refuse,
  refuseWildcard,
  type Token,
  takeSign,
  takeWord,
} from "./filter-tokens.ts";
import { pointerSegment } from "./json-pointer.ts";
import {
  type FieldForm,
  type FilterField,
  formOf,
  type IndexedPath,
  type SearchField,
  searchFields,
} from "./search-fields.ts";
import { termsIn } from "./terms.ts";
import { parseTimestamp } from "./timestamp.ts";

export type Comparison = {
  readonly kind: "compare";
  readonly field: FilterField;
  /** `prefix`: begins with, of a list: one of it does; `has`: the list holds the word, or, for `*`, any word. */
  readonly operator: "=" | "<" | "<=" | ">" | ">=" | "prefix" | "has";
  readonly value: string | number | boolean;
};
export type Filter =
  | Comparison
  | { readonly kind: "all" | "any"; readonly of: readonly Filter[] }
  | { readonly kind: "not"; readonly of: Filter };

export const filterBytesMax = 4096;
/** Parentheses inside each other. */
export const filterDepthMax = 20;
/** Comparisons. */
export const filterTermsMax = 64;
/** Comparisons, parentheses and negations together. */
export const filterNodesMax = 128;

const equality = ["=", "!="];
const ordering = ["=", "!=", "<", "<=", ">", ">="];
export const operatorsOf: Readonly<Record<FieldForm["type"], readonly string[]>> = {
  text: [...equality, ":"],
  word: equality,
  boolean: equality,
  level: ordering,
  number: ordering,
  time: ordering,
  words: [":"],
  terms: [":"],
};

export const compare = (
  field: FilterField,
  operator: Comparison["operator"],
  value: Comparison["value"],
): Comparison => ({ kind: "compare", field, operator, value });
export const allOf = (filters: readonly Filter[]): Filter => group("all", filters);
export const anyOf = (filters: readonly Filter[]): Filter => group("any", filters);
const not = (filter: Filter): Filter => (filter.kind === "not" ? filter.of : { kind: "not", of: filter });

/** Groups in groups of the same kind are one. */
function group(kind: "all" | "any", filters: readonly Filter[]): Filter {
  const [first] = filters;
  if (first !== undefined && filters.length === 1) return first;
  return { kind, of: filters.flatMap((filter) => (filter.kind === kind ? filter.of : [filter])) };
}

/** Only what looks like a name is repeated in a message: anything else may be somebody's data. */
const named = (word: string): string => (/^[A-Za-z_.$]{1,64}$/.test(word) ? ` ${word}` : "");

const isSearchField = (word: string): word is SearchField => Object.hasOwn(searchFields, word);

/** `payload.plan.name`, or the pointer itself in quotation marks. */
const pathOf = ({ kind, text }: Token): IndexedPath =>
  kind === "quoted" && text.startsWith("/")
    ? (text as IndexedPath)
    : (text.split(".").map(pointerSegment).join("") as IndexedPath);

/** A field by its name, as a filter names it: `tenant`, `payload.plan`, `/payload/plan`. */
export function parseField(name: string, paths: ReadonlySet<string>): FilterField | undefined {
  if (isSearchField(name)) return name;
  const path = name.startsWith("/") ? name : name.split(".").map(pointerSegment).join("");
  return paths.has(path) ? (path as IndexedPath) : undefined;
}

function fieldOf(name: Token, paths: ReadonlySet<string>): FilterField {
  if (name.kind === "sign" || isKeyword(name)) return refuse(name.at, "a condition is expected here");
  if (name.kind === "word" && isSearchField(name.text)) return name.text;
  const path = pathOf(name);
  if (paths.has(path)) return path;
  return refuse(
    name.at,
    `there is no field${named(name.text)}; fields are ${Object.keys(searchFields).join(", ")}, and the paths that the catalogue indexes`,
  );
}

function numberOf(token: Token, field: FilterField): number {
  const number = /^\d{1,16}$/.test(token.text) ? Number(token.text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : refuse(token.at, `${field} is a whole number`);
}

function readValue(
  token: Token,
  field: FilterField,
  form: Exclude<FieldForm, { type: "terms" }>,
): Comparison["value"] {
  switch (form.type) {
    case "text":
      return form.read(token.text);
    case "boolean":
      if (token.text !== "true" && token.text !== "false") refuse(token.at, `${field} is true or false`);
      return token.text === "true";
    case "number":
      return numberOf(token, field);
    case "time": {
      const time = parseTimestamp(token.text, Number.MAX_SAFE_INTEGER);
      return time.ok ? time.ms : refuse(token.at, `the time for ${field} ${time.expected}`);
    }
    case "word":
    case "words":
    case "level": {
      const place = form.words.indexOf(token.text);
      if (place < 0) refuse(token.at, `a value for ${field} is one of ${form.words.join(", ")}`);
      return form.type === "level" ? place : token.text;
    }
  }
}

const isList = ({ type }: FieldForm): boolean => type === "words" || type === "terms";

/** Words of one condition on full text. */
export const textWordsMax = 16;

/** Each word is a term of the record; `isPrefix` makes the last one a beginning, where the text ends in it. */
export function compareWords(text: string, isPrefix: boolean): readonly Comparison[] {
  const words = termsIn(text);
  const begins = isPrefix && /[\p{L}\p{N}\p{M}]$/u.test(text);
  return words.map((word, at) => compare("text", begins && at === words.length - 1 ? "prefix" : "has", word));
}

function textOf(field: FilterField, token: Token): Filter {
  const words = compareWords(token.text, token.isPrefix);
  if (words.length === 0) return refuse(token.at, `${field} needs a letter or a digit`);
  if (words.length > textWordsMax) return refuse(token.at, `${field} has more than ${textWordsMax} words`);
  return allOf(words);
}

/** `operator` is one that the form allows. */
function comparisonOf(field: FilterField, operator: string, token: Token): Filter {
  const form = formOf(field);
  const compare = (sign: Comparison["operator"], value: Comparison["value"]): Comparison => ({
    kind: "compare",
    field,
    operator: sign,
    value,
  });
  if (operator === ":" && token.kind === "word" && token.text === "*")
    return isList(form) ? compare("has", "*") : not(compare("=", ""));
  const wildcardAt = token.kind === "word" ? token.text.indexOf("*") : -1;
  if (wildcardAt >= 0) return refuseWildcard(token.at + wildcardAt);
  if (form.type === "terms") return textOf(field, token);
  if (token.isPrefix) {
    if (form.type !== "text" || token.text === "")
      return refuse(token.at, "a wildcard stands behind at least one character, and only for fields of text");
    const prefix = compare("prefix", token.text);
    return operator === "!=" ? not(prefix) : prefix;
  }
  const value = readValue(token, field, form);
  if (operator === "!=") return not(compare("=", value));
  if (operator === ":") return compare(form.type === "words" ? "has" : "=", value);
  return compare(operator as Comparison["operator"], value);
}

type Parsing = { readonly reader: Reader; readonly paths: ReadonlySet<string>; readonly depth: number };

function comparison({ reader, paths }: Parsing, name: Token): Filter {
  if (++reader.terms > filterTermsMax) refuse(name.at, `more than ${filterTermsMax} conditions`);
  const field = fieldOf(name, paths);
  reader.at = name.end;
  const operator = peek(reader);
  const allowed = operatorsOf[formOf(field).type];
  if (operator === undefined || operator.kind !== "sign" || !allowed.includes(operator.text))
    return refuse(operator?.at ?? reader.at, `${field} must be followed by ${allowed.join(" ")}`);
  reader.at = operator.end;
  const value = peek(reader, "value");
  if (value === undefined || value.kind === "sign" || isKeyword(value))
    return refuse(value?.at ?? reader.at, `a value for ${field} is expected here`);
  reader.at = value.end;
  return comparisonOf(field, operator.text, value);
}

function countNode({ reader }: Parsing): void {
  if (++reader.nodes > filterNodesMax)
    refuse(reader.at, `more than ${filterNodesMax} conditions, parentheses and negations`);
}

/** A comparison, or a filter in parentheses. */
function simple(parsing: Parsing): Filter {
  const { reader, depth } = parsing;
  const token = peek(reader);
  if (token === undefined) return refuse(reader.at, "a condition is expected here");
  countNode(parsing);
  if (!takeSign(reader, "(")) return comparison(parsing, token);
  if (depth >= filterDepthMax) refuse(token.at, `parentheses are more than ${filterDepthMax} deep`);
  const inner = conjunction({ ...parsing, depth: depth + 1 });
  return takeSign(reader, ")") ? inner : refuse(token.at, "the parenthesis is never closed");
}

function negation(parsing: Parsing): Filter {
  const { reader } = parsing;
  if (!takeWord(reader, "NOT") && !takeSign(reader, "-")) return simple(parsing);
  countNode(parsing);
  return not(simple(parsing));
}

/** OR binds tighter than AND. */
function disjunction(parsing: Parsing): Filter {
  const found = [negation(parsing)];
  while (takeWord(parsing.reader, "OR")) found.push(negation(parsing));
  return group("any", found);
}

/** Two conditions beside each other are joined by AND. */
function conjunction(parsing: Parsing): Filter {
  const { reader } = parsing;
  const found = [disjunction(parsing)];
  for (let next = peek(reader); next !== undefined && !isClosing(next); next = peek(reader)) {
    takeWord(reader, "AND");
    found.push(disjunction(parsing));
  }
  return allOf(found);
}
const isClosing = ({ kind, text }: Token): boolean => kind === "sign" && text === ")";

/** The comparisons that must all hold, whatever else must. */
export function conjunctsOf(filter: Filter): readonly Comparison[] {
  if (filter.kind === "compare") return [filter];
  return filter.kind === "all" ? filter.of.filter((one) => one.kind === "compare") : [];
}

/** Lowest and highest value, inclusive, that the conjuncts leave to a field of whole numbers. */
export function rangeOf(
  conjuncts: readonly Comparison[],
  field: FilterField,
): { readonly min: number; readonly max: number } {
  let [min, max] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { operator, value, ...of } of conjuncts) {
    if (of.field !== field || typeof value !== "number") continue;
    if (operator === ">") min = Math.max(min, value + 1);
    if (operator === "<") max = Math.min(max, value - 1);
    if (operator === ">=" || operator === "=") min = Math.max(min, value);
    if (operator === "<=" || operator === "=") max = Math.min(max, value);
  }
  return { min, max };
}

/** A lower bound above the upper one can only be a mistake. */
function refuseEmptyRanges(filter: Filter): void {
  const conjuncts = conjunctsOf(filter);
  for (const { field } of conjuncts) {
    const { min, max } = rangeOf(conjuncts, field);
    if (min > max) refuse(0, `the range of ${field} ends before it begins`);
  }
}

/** An empty filter holds for every record. `paths` are the pointers that may be asked for. Throws nothing but INVALID_ARGUMENT. */
export function parseFilter(text: string, paths: ReadonlySet<string>): Filter {
  if (text.length > filterBytesMax || new TextEncoder().encode(text).length > filterBytesMax)
    refuse(0, `a filter has at most ${filterBytesMax} bytes`);
  const reader: Reader = { text, at: 0, nodes: 0, terms: 0 };
  if (peek(reader) === undefined) return allOf([]);
  const filter = conjunction({ reader, paths, depth: 0 });
  const rest = peek(reader);
  if (rest !== undefined) refuse(rest.at, "the parenthesis was never opened");
  refuseEmptyRanges(filter);
  return filter;
}
