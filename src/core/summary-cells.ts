/**
 * Counts of records by quarter of an hour and by what few values they have: small for many records, and exact. Blocks of the log are counted
 * once and for all; counts of neighbours add up to those of both.
 */
import { utf8 } from "./base64.ts";
import type { SearchField } from "./search-fields.ts";

/** What a cell knows of its records, in this order; actors are counted apart. */
export const cellFields = [
  "tenant", "producer_service", "entity_type", "event_type", "action", "severity", "status", "resource_type",
] as const satisfies readonly SearchField[]; // biome-ignore format: a list
/** Every time zone of today is a whole number of quarters from UTC. */
export const quarterMs = 15 * 60_000;
/** Entries of the log in a block of the lowest level, and blocks of one level in one of the next. */
export const blockEntries = 1_024;
export const blockWidth = 64;
export const blockLevels = 2;
/** Entries of the log in a block of a level. */
export const entriesOf = (level: number): number => blockEntries * blockWidth ** level;

export type CountedRecord = {
  readonly recordedAtMs: number;
  /** By `cellFields`. */
  readonly values: readonly string[];
  readonly actor: string;
};
/** What is read of a record to count it. */
export const countedFields = ["recorded_at", "owner_id", ...cellFields] as const;

/** `rows`: quarter, place in `values`, place in `actors`, count; four numbers after one another. */
export type Cells = {
  readonly values: readonly (readonly string[])[];
  readonly actors: readonly string[];
  readonly rows: Uint32Array;
};
export const rowLength = 4;

/** Numbers what it is given, the same the same. */
function places<T>(textOf: (one: T) => string) {
  const known = new Map<string, number>();
  const all: T[] = [];
  return {
    all,
    of(one: T): number {
      const text = textOf(one);
      const place = known.get(text);
      if (place !== undefined) return place;
      known.set(text, all.length);
      return all.push(one) - 1;
    },
  };
}

/** Adds counts that have the same quarter, values and actor. */
function counter() {
  const values = places((one: readonly string[]) => JSON.stringify(one));
  const actors = places((one: string) => one);
  const counts = new Map<string, [number, number, number, number]>();
  return {
    values: values.of,
    actors: actors.of,
    add(quarter: number, value: number, actor: number, count: number): void {
      const key = `${quarter} ${value} ${actor}`;
      const row = counts.get(key);
      if (row === undefined) counts.set(key, [quarter, value, actor, count]);
      else row[3] += count;
    },
    cells: (): Cells => ({
      values: values.all,
      actors: actors.all,
      rows: Uint32Array.from([...counts.values()].flat()),
    }),
  };
}

/** The actor of counts that tell no actors, and of those that were purged. */
const nobody = "";

export function countCells(records: readonly CountedRecord[], which: "cells" | "actors"): Cells {
  const count = counter();
  for (const { recordedAtMs, values, actor } of records)
    count.add(
      Math.floor(recordedAtMs / quarterMs),
      count.values(values),
      count.actors(which === "actors" ? actor : nobody),
      1,
    );
  return count.cells();
}

/** The sum of what is added. `nameOf` may change actors. */
export function cellsSum(nameOf = (actor: string): string => actor) {
  const count = counter();
  return {
    add({ values, actors, rows }: Cells): void {
      const valuePlaces = values.map(count.values);
      const actorPlaces = actors.map((actor) => count.actors(nameOf(actor)));
      for (let at = 0; at < rows.length; at += rowLength)
        count.add(
          rows[at] ?? 0,
          valuePlaces[rows[at + 1] ?? 0] ?? 0,
          actorPlaces[rows[at + 2] ?? 0] ?? 0,
          rows[at + 3] ?? 0,
        );
    },
    cells: count.cells,
  };
}

export function addCells(all: readonly Cells[], nameOf?: (actor: string) => string): Cells {
  const sum = cellsSum(nameOf);
  for (const cells of all) sum.add(cells);
  return sum.cells();
}

/** Whether both count the same, in whatever order. */
export const equalCells = (a: Cells, b: Cells): boolean => inOrder(a) === inOrder(b);

const inOrder = ({ values, actors, rows }: Cells): string =>
  Array.from({ length: rows.length / rowLength }, (_, row) => {
    const [quarter, value = 0, actor = 0, count] = rows.subarray(row * rowLength);
    return JSON.stringify([quarter, values[value], actors[actor], count]);
  })
    .sort()
    .join();

/** The same counts without these actors' names. */
export const withoutActors = (cells: Cells, purged: ReadonlySet<string>): Cells =>
  addCells([cells], (actor) => (purged.has(actor) ? nobody : actor));

const numberBytes = 4;

/** Length of the names as JSON, the names, the rows; numbers as this machine writes them, which is the lowest byte first wherever Node runs. */
export function encodeCells({ values, actors, rows }: Cells): Uint8Array {
  const names = utf8(JSON.stringify([values, actors]));
  const bytes = new Uint8Array(numberBytes + names.length + rows.byteLength);
  new DataView(bytes.buffer).setUint32(0, names.length, true);
  bytes.set(names, numberBytes);
  bytes.set(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), numberBytes + names.length);
  return bytes;
}

const decoder = new TextDecoder();

export function decodeCells(bytes: Uint8Array): Cells {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const namesEnd = numberBytes + view.getUint32(0, true);
  const [values, actors] = JSON.parse(decoder.decode(bytes.subarray(numberBytes, namesEnd)));
  // Copied, since rows begin anywhere.
  return { values, actors, rows: new Uint32Array(new Uint8Array(bytes.subarray(namesEnd)).buffer) };
}
