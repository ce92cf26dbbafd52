/** RFC 6901 pointers. Resolving looks at own members only, so hostile keys (`__proto__`) are data. */
import { isJsonObject, type JsonValue, member } from "./json.ts";

export const pointerSegment = (key: string | number): string =>
  `/${typeof key === "number" ? key : key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

const arrayIndex = /^(0|[1-9]\d{0,5})$/;

const unescaped = (segment: string): string =>
  segment.includes("~") ? segment.replaceAll("~1", "/").replaceAll("~0", "~") : segment;

export function resolvePointer(value: JsonValue | undefined, pointer: string): JsonValue | undefined {
  let found = value;
  for (let at = pointer.indexOf("/"); at >= 0; ) {
    const next = pointer.indexOf("/", at + 1);
    const segment = pointer.slice(at + 1, next < 0 ? undefined : next);
    if (Array.isArray(found)) found = arrayIndex.test(segment) ? found[Number(segment)] : undefined;
    else if (isJsonObject(found)) found = member(found, unescaped(segment));
    else return undefined;
    at = next;
  }
  return found;
}

/** Whether the pointer names `ancestor` or something inside it. */
export const isWithin = (pointer: string, ancestor: string): boolean =>
  pointer === ancestor || pointer.startsWith(`${ancestor}/`);
