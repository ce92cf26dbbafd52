/** RFC 8785 text and the numbers that do not survive it. Equal events give equal text, different events different text. */
import canonicalize from "canonicalize";
import { LastroError } from "./errors.ts";
import { type JsonObject, type JsonValue, setMember } from "./json.ts";
import { parseJson } from "./parse-json.ts";

/**
 * JSON.stringify writes strings and numbers as RFC 8785 asks for, at a third of the library's time, once the keys are in order. What it would
 * write otherwise goes to the library: numbers that are none, lone surrogates (which it escapes) and keys that an object puts in an order of its own.
 */
export function canonicalJson(value: JsonValue): string {
  const sorted = inOrder(value);
  const text = sorted === undefined ? undefined : JSON.stringify(sorted);
  return text === undefined || text.includes("\\ud") ? canonicalByLibrary(value) : text;
}

function canonicalByLibrary(value: JsonValue): string {
  const text = canonicalize(value);
  if (text === undefined) throw new LastroError("INTERNAL", "a JSON value has no canonical form");
  return text;
}

/** The value with the keys of each object in the order of RFC 8785; undefined when an object cannot hold them so. */
function inOrder(value: JsonValue): JsonValue | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items: JsonValue[] = [];
    for (const item of value as readonly JsonValue[]) {
      const sorted = inOrder(item);
      if (sorted === undefined) return undefined;
      items.push(sorted);
    }
    return items;
  }
  const given = value as JsonObject;
  const sorted: Record<string, JsonValue> = {};
  for (const key of Object.keys(given).sort()) {
    if (beginsWithDigit(key)) return undefined;
    const inner = inOrder(given[key] as JsonValue);
    if (inner === undefined) return undefined;
    setMember(sorted, key, inner);
  }
  return sorted;
}

/** Objects put keys that are whole numbers first, by their value. */
const beginsWithDigit = (key: string): boolean => {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
};

/** The one key of the object that stands for a lossy number. No event can hold it: keys with NUL are refused. */
export const numberMark = "\u0000n";

const decimalForm = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** Digits without zeros at either end, and the power of ten: equal texts mean equal values. */
function normalDecimal(text: string): string {
  const [, whole = "", fraction = "", exponent = "0"] = decimalForm.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return "0";
  const significant = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${text.startsWith("-") ? "-" : ""}${significant}e${power}`;
}

/** Whether parsing and printing the JSON number gives another value: 9007199254740993 does, 1.0, 1E2 and -0 do not. */
export const losesValue = (numberText: string): boolean =>
  normalDecimal(numberText) !== normalDecimal(String(Number(numberText)));

/** Sixteen digits, or an exponent, in what may be a number: others lose nothing. A reviver takes ten times as long as none. */
const maybeLossy = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+[eE])/;

/** The value with lossy numbers as {"\u0000n": source text}. The text must be JSON. */
export function parseExactly(text: string): JsonValue {
  if (!maybeLossy.test(text)) return parseJson(text);
  return parseJson(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && losesValue(source)
      ? { [numberMark]: source }
      : value,
  );
}
