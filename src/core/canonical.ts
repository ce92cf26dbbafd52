/** RFC 8785 text and the numbers that do not survive it. Equal events give equal text, different events different text. */
import canonicalize from "canonicalize";
import { LastroError } from "./errors.ts";
import type { JsonValue } from "./json.ts";

export function canonicalJson(value: JsonValue): string {
  const text = canonicalize(value);
  if (text === undefined) throw new LastroError("INTERNAL", "a JSON value has no canonical form");
  return text;
}

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

/** The value with lossy numbers as {"\u0000n": source text}. The text must be JSON. */
export function parseExactly(text: string): JsonValue {
  return JSON.parse(text, (_key, value: unknown, ...rest: { readonly source?: string }[]) => {
    const source = rest[0]?.source;
    return typeof value === "number" && source !== undefined && losesValue(source)
      ? { [numberMark]: source }
      : value;
  }) as JsonValue;
}
