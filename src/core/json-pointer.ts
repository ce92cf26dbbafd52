/** RFC 6901 pointers. Resolving looks at own members only, so hostile keys (`__proto__`) are data. */
import { isJsonObject, type JsonValue, member } from "./json.ts";

export const pointerSegment = (key: string | number): string =>
  `/${typeof key === "number" ? key : key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

const arrayIndex = /^(0|[1-9]\d{0,5})$/;

export function resolvePointer(value: JsonValue | undefined, pointer: string): JsonValue | undefined {
  let found = value;
  for (const segment of pointer.split("/").slice(1)) {
    if (Array.isArray(found)) found = arrayIndex.test(segment) ? found[Number(segment)] : undefined;
    else if (isJsonObject(found)) found = member(found, segment.replaceAll("~1", "/").replaceAll("~0", "~"));
    else return undefined;
  }
  return found;
}

/** Whether the pointer names `ancestor` or something inside it. */
export const isWithin = (pointer: string, ancestor: string): boolean =>
  pointer === ancestor || pointer.startsWith(`${ancestor}/`);
