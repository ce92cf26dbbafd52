/**
 * What passes between the threads, flat: events as one block of bytes, facts as one JSON text, bodies as one block. V8 copies objects member by member,
 * at more than the cost of parsing an event. Data keys pass, too; they are in the same process and are never written down.
 */
import type { EventHeader, SourceEvent } from "../core/event.ts";
import type { Kid, Src } from "../core/ids.ts";
import type { Rejection } from "../core/outcome.ts";
import type { DataKey } from "../privacy/data-keys.ts";
import type { SealedBody } from "../privacy/seal.ts";
import { keyBytes } from "../privacy/wrapped-key.ts";
import type { SealOrder } from "./stations.ts";

/** Bytes of a null key or value. */
const absent = -1;
const numbersPerEvent = 4;

export type PackedEvents = {
  /** Key and value of each event, one behind the other. */
  readonly bytes: Uint8Array;
  /** Offset, timestamp, bytes of the key, bytes of the value. */
  readonly numbers: Float64Array;
  /** By the event's number; the bytes are copies. */
  readonly headers: ReadonlyMap<number, readonly EventHeader[]>;
};

export type PackedOrders = {
  readonly kids: readonly Kid[];
  readonly keys: Uint8Array;
  /** Event, key of the owner, key of the actor or −1. */
  readonly numbers: Int32Array;
};

export type Request =
  | { readonly kind: "prepare"; readonly id: number; readonly src: Src; readonly nowMs: number; readonly events: PackedEvents }
  | { readonly kind: "seal"; readonly id: number; readonly batch: number; readonly orders: PackedOrders }
  | { readonly kind: "release"; readonly batch: number }; // biome-ignore format: a table

/** What was asked for as JSON text, or why the whole request failed. `faults`: what stations threw for the last time, as text. */
export type Answer = {
  readonly id: number;
  readonly text: string | undefined;
  readonly bodies: Uint8Array | undefined;
  readonly error: string | undefined;
  readonly faults: readonly string[];
};

const lengthOf = (bytes: Uint8Array | null): number => (bytes === null ? absent : bytes.length);

export function packEvents(events: readonly SourceEvent[]): PackedEvents {
  const size = events.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
  const bytes = new Uint8Array(size);
  const numbers = new Float64Array(events.length * numbersPerEvent);
  const headers = new Map<number, readonly EventHeader[]>();
  let end = 0;
  for (const [at, event] of events.entries()) {
    const { offset, timestampMs, key, value } = event;
    numbers.set([offset, timestampMs, lengthOf(key), lengthOf(value)], at * numbersPerEvent);
    for (const part of [key, value]) {
      if (part === null) continue;
      bytes.set(part, end);
      end += part.length;
    }
    // A view would take all of the fetch it lies in along.
    if (event.headers.length > 0)
      headers.set(
        at,
        event.headers.map(([name, part]) => [name, part && Uint8Array.from(part)]),
      );
  }
  return { bytes, numbers, headers };
}

export function unpackEvents({ bytes, numbers, headers }: PackedEvents): readonly SourceEvent[] {
  const events: SourceEvent[] = [];
  let end = 0;
  const take = (length: number): Uint8Array | null => {
    if (length === absent) return null;
    end += length;
    return bytes.subarray(end - length, end);
  };
  for (let at = 0; at < numbers.length; at += numbersPerEvent) {
    const [offset = 0, timestampMs = 0, keyLength = 0, valueLength = 0] = numbers.subarray(
      at,
      at + numbersPerEvent,
    );
    const [key, value] = [take(keyLength), take(valueLength)];
    events.push({ offset, timestampMs, key, value, headers: headers.get(at / numbersPerEvent) ?? [] });
  }
  return events;
}

const numbersPerOrder = 3;

export function packOrders(orders: readonly SealOrder[]): PackedOrders {
  const [kids, keys, indexes] = [[] as Kid[], [] as Uint8Array[], new Map<DataKey, number>()];
  const indexOf = (key: DataKey): number => {
    const known = indexes.get(key);
    if (known !== undefined) return known;
    indexes.set(key, kids.length);
    keys.push(key.key);
    return kids.push(key.kid) - 1;
  };
  const numbers = new Int32Array(orders.length * numbersPerOrder);
  for (const [n, { at, owner, actor }] of orders.entries())
    numbers.set([at, indexOf(owner), actor === undefined ? absent : indexOf(actor)], n * numbersPerOrder);
  const packed = new Uint8Array(keys.length * keyBytes);
  for (const [index, key] of keys.entries()) packed.set(key, index * keyBytes);
  return { kids, keys: packed, numbers };
}

export function unpackOrders({ kids, keys, numbers }: PackedOrders): readonly SealOrder[] {
  const dataKeys = kids.map(
    (kid, n): DataKey => ({ kid, key: keys.subarray(n * keyBytes, (n + 1) * keyBytes) }),
  );
  const orders: SealOrder[] = [];
  for (let n = 0; n < numbers.length; n += numbersPerOrder) {
    const [at = absent, ownerIndex = absent, actorIndex = absent] = numbers.subarray(n, n + numbersPerOrder);
    const owner = dataKeys[ownerIndex];
    if (owner === undefined) throw new Error("a sealing order came without its key");
    orders.push({ at, owner, actor: dataKeys[actorIndex] });
  }
  return orders;
}

const isRejection = (one: object): one is Rejection => "reason" in one;

type SealedText = Omit<SealedBody, "body"> & { readonly bodyBytes: number };

export function packSealed(
  sealed: readonly (SealedBody | Rejection)[],
): Pick<Answer, "text"> & { readonly bodies: Uint8Array } {
  const made = sealed.map((one): SealedText | Rejection =>
    isRejection(one) ? one : { parts: one.parts, kids: one.kids, bodyBytes: one.body.length },
  );
  const bodies = new Uint8Array(
    sealed.reduce((sum, one) => sum + (isRejection(one) ? 0 : one.body.length), 0),
  );
  let end = 0;
  for (const one of sealed) {
    if (isRejection(one)) continue;
    bodies.set(one.body, end);
    end += one.body.length;
  }
  return { text: JSON.stringify(made), bodies };
}

export function unpackSealed(text: string, bodies: Uint8Array): readonly (SealedBody | Rejection)[] {
  const made: readonly (SealedText | Rejection)[] = JSON.parse(text);
  let end = 0;
  return made.map((one) => {
    if (isRejection(one)) return one;
    end += one.bodyBytes;
    return { parts: one.parts, kids: one.kids, body: bodies.subarray(end - one.bodyBytes, end) };
  });
}
