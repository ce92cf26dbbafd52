/** What changed between two JSON values: RFC 6902 operations, each with the old and the new value. Bounded whatever the values are. */
import { canonicalJson } from "./canonical.ts";
import { hasMembers } from "./exact-json.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";

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
/** Characters of all paths, each with its operation's frame. Values add up to no more than those compared; paths would to their square. */
export const pathsTextMax = 512 * 1024;
/** More than what stands around path and values of an operation in an answer. */
export const operationFrameBytes = 32;
/** How deep is looked, until the paths fit. At 0 all is replaced. */
const depths = [Number.POSITIVE_INFINITY, 8, 4, 2, 1, 0];

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

/** Applied in order to `from` the differences give `to`. What lies deep is replaced whole where the paths to it would be too long. */
export function differences(from: JsonValue, to: JsonValue): readonly Difference[] {
  for (const depth of depths) {
    const walk: Walk = { found: [], textLeft: pathsTextMax, cellsLeft: listCellsMax };
    if (compare(walk, from, to, "", depth)) return walk.found;
  }
  return [{ op: "replace", path: "", oldValue: from, newValue: to }];
}

type Walk = { readonly found: Difference[]; textLeft: number; cellsLeft: number };

/** False where nothing more fits. */
function put(walk: Walk, difference: Difference): boolean {
  walk.found.push(difference);
  walk.textLeft -= difference.path.length + operationFrameBytes;
  return walk.textLeft >= 0;
}

function compare(walk: Walk, from: JsonValue, to: JsonValue, path: string, depth: number): boolean {
  if (depth > 0 && hasMembers(from) && hasMembers(to)) return compareMembers(walk, from, to, path, depth - 1);
  if (isSame(from, to)) return true;
  if (depth > 0 && Array.isArray(from) && Array.isArray(to)) {
    walk.cellsLeft -= from.length * to.length;
    if (walk.cellsLeft >= 0) return compareItems(walk, from, to, path, depth - 1);
  }
  return put(walk, { op: "replace", path, oldValue: from, newValue: to });
}

function compareMembers(walk: Walk, from: JsonObject, to: JsonObject, path: string, depth: number): boolean {
  const at = (key: string): string => `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  for (const [key, oldValue] of Object.entries(from))
    if (!Object.hasOwn(to, key) && !put(walk, { op: "remove", path: at(key), oldValue })) return false;
  for (const [key, newValue] of Object.entries(to))
    if (!Object.hasOwn(from, key) && !put(walk, { op: "add", path: at(key), newValue })) return false;
  for (const [key, oldValue] of Object.entries(from)) {
    const newValue = member(to, key);
    if (newValue !== undefined && !compare(walk, oldValue, newValue, at(key), depth)) return false;
  }
  return true;
}

type Items = readonly JsonValue[];
type Edit = "keep" | "remove" | "add" | "replace";

/** Paths count items as they lie after the operations before. */
function compareItems(walk: Walk, from: Items, to: Items, path: string, depth: number): boolean {
  let [i, j, at] = [0, 0, 0];
  for (const edit of editsOf(from, to)) {
    const [oldValue, newValue] = [from[i] as JsonValue, to[j] as JsonValue];
    const place = `${path}/${edit === "add" && i === from.length ? "-" : at}`;
    if (edit === "remove" && !put(walk, { op: edit, path: place, oldValue })) return false;
    if (edit === "add" && !put(walk, { op: edit, path: place, newValue })) return false;
    if (edit === "replace" && !compare(walk, oldValue, newValue, place, depth)) return false;
    if (edit !== "add") i++;
    if (edit !== "remove") j++;
    if (edit !== "remove") at++;
  }
  return true;
}

/** The fewest edits, by the table of Wagner and Fischer. */
function editsOf(from: Items, to: Items): readonly Edit[] {
  const numbers = new Map<string, number>();
  const numberOf = (item: JsonValue): number => {
    const text = canonicalJson(item);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  const [a, b] = [from.map(numberOf), to.map(numberOf)];
  const width = b.length + 1;
  const costs = new Uint32Array((a.length + 1) * width);
  const cost = (i: number, j: number): number =>
    i < 0 || j < 0 ? Number.POSITIVE_INFINITY : (costs[i * width + j] as number);
  const editAt = (i: number, j: number): Edit => {
    if (i > 0 && j > 0 && a[i - 1] === b[j - 1]) return "keep";
    const [remove, add, replace] = [cost(i - 1, j), cost(i, j - 1), cost(i - 1, j - 1)];
    if (remove <= add && remove <= replace) return "remove";
    return add <= replace ? "add" : "replace";
  };
  const before = (edit: Edit, i: number, j: number): readonly [number, number] => [
    edit === "add" ? i : i - 1,
    edit === "remove" ? j : j - 1,
  ];
  for (let i = 0; i <= a.length; i++)
    for (let j = i === 0 ? 1 : 0; j <= b.length; j++) {
      const edit = editAt(i, j);
      costs[i * width + j] = cost(...before(edit, i, j)) + (edit === "keep" ? 0 : 1);
    }
  const edits: Edit[] = [];
  for (let [i, j] = [a.length, b.length]; i > 0 || j > 0; ) {
    const edit = editAt(i, j);
    edits.push(edit);
    [i, j] = before(edit, i, j);
  }
  return edits.reverse();
}
