/** JSON values whose lossy numbers stand by their source text, as `parseExactly` gives them: to whoever walks such a value, each is a leaf. */
import { numberMark } from "./canonical.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";

/** The text of a number that a double does not hold. */
export function lossyNumber(value: JsonValue | undefined): string | undefined {
  const source = isJsonObject(value) ? member(value, numberMark) : undefined;
  return typeof source === "string" ? source : undefined;
}

/** Whether it is an object of the JSON text, and no number. */
export const hasMembers = (value: JsonValue | undefined): value is JsonObject =>
  isJsonObject(value) && lossyNumber(value) === undefined;

/** What stands for a number; inside a string its quotation marks would be escaped. */
const marked = /\{"\\u0000n":"([^"]*)"\}/g;

/** JSON text in which numbers have their digits. */
export const exactText = (value: JsonValue): string => JSON.stringify(value).replace(marked, "$1");
