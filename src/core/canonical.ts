/** RFC 8785 text and the numbers that do not survive it. Equal events give equal text, different events different text. */
import { LastroError } from "./errors.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** Nothing to escape, no surrogates: stands in quotes as it is. */
const plainText = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;
const stringText = (text: string): string => (plainText.test(text) ? `"${text}"` : JSON.stringify(text));

/** Of guarded JSON: a tree of bounded depth, without lone surrogates and members that are undefined. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === "string") return stringText(value);
  if (typeof value !== "object" || value === null) return scalarText(value);
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(canonicalJson).join()}]`;
  const members = value as JsonObject;
  let text = "";
  // Sorts by UTF-16 units, as RFC 8785 does.
  for (const key of Object.keys(members).sort()) {
    const separator = text === "" ? "" : ",";
    text += `${separator}${stringText(key)}:${canonicalJson(members[key] as JsonValue)}`;
  }
  return `{${text}}`;
}

/** ECMAScript's form of numbers is RFC 8785's. */
function scalarText(value: number | boolean | null): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new LastroError("INTERNAL", "a number that is not finite has no canonical form");
  return JSON.stringify(value);
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
