/** What changed between two JSON values: RFC 6902 operations, each with the old and the new value. Bounded whatever the values are. */
import { createPatch, type Pointer } from "rfc6902";
import { lossyNumber } from "./exact-json.ts";
import { isJsonObject, type JsonValue, member } from "./json.ts";

export type Difference =
  | { readonly op: "add"; readonly path: string; readonly newValue: JsonValue }
  | { readonly op: "remove"; readonly path: string; readonly oldValue: JsonValue }
  | {
      readonly op: "replace";
      readonly path: string;
      readonly oldValue: JsonValue;
      readonly newValue: JsonValue;
    };

/** Lists are compared item by item only while the product of their lengths adds up to this; beyond it they are replaced whole. */
const listCellsMax = 16_384;

export function isSame(a: JsonValue, b: JsonValue): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  }
  if (!isJsonObject(a)) return a === b;
  if (!isJsonObject(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([key, value]) => {
    const other = member(b, key);
    return other !== undefined && isSame(value, other);
  });
}

function patchOf(from: JsonValue, to: JsonValue) {
  let cells = 0;
  return createPatch(from, to, (input: JsonValue, output: JsonValue, at: Pointer) => {
    if (lossyNumber(input) !== undefined || lossyNumber(output) !== undefined)
      return isSame(input, output) ? [] : [{ op: "replace", path: at.toString(), value: output }];
    if (!Array.isArray(input) || !Array.isArray(output)) return undefined;
    if (isSame(input, output)) return [];
    cells += input.length * output.length;
    return cells <= listCellsMax ? undefined : [{ op: "replace", path: at.toString(), value: output }];
  });
}

type Mutable = null | boolean | number | string | Mutable[] | { [key: string]: Mutable };
const isObject = (value: Mutable | undefined): value is { [key: string]: Mutable } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Applies the operation and tells what was there. Own code: the library's pointers skip members called `constructor` and the like. */
function follow(
  document: { [key: string]: Mutable },
  op: Difference["op"],
  path: string,
  value?: JsonValue,
): JsonValue {
  const tokens = path.split("/").map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = tokens.pop() ?? "";
  let parent: Mutable | undefined = document;
  for (const token of tokens) {
    if (Array.isArray(parent)) parent = parent[Number(token)];
    else if (isObject(parent)) parent = parent[token];
  }
  const put = structuredClone(value) as Mutable;
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    const removed = parent.splice(index, op === "add" ? 0 : 1, ...(op === "remove" ? [] : [put]));
    return removed[0] ?? null;
  }
  if (!isObject(parent)) return null;
  const old = Object.hasOwn(parent, last) ? parent[last] : undefined;
  if (op === "remove") delete parent[last];
  else
    Object.defineProperty(parent, last, { value: put, enumerable: true, configurable: true, writable: true });
  return old ?? null;
}

/** Applied in order to `from` the differences give `to`. */
export function differences(from: JsonValue, to: JsonValue): readonly Difference[] {
  // Later paths count list items after earlier operations, so old values are read from a copy that follows.
  const document = { "": structuredClone(from) as Mutable };
  return patchOf(from, to).flatMap((operation): Difference[] => {
    const path = operation.path;
    if (operation.op === "remove")
      return [{ op: "remove", path, oldValue: follow(document, "remove", path) }];
    if (operation.op === "add") {
      follow(document, "add", path, operation.value);
      return [{ op: "add", path, newValue: operation.value }];
    }
    if (operation.op !== "replace") return [];
    const oldValue = follow(document, "replace", path, operation.value);
    return [{ op: "replace", path, oldValue, newValue: operation.value }];
  });
}
