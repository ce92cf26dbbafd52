/** What is taken out of a fetch is what was aborted and nothing else, held against a model that knows how each transaction ended. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type AbortedTransaction, withoutAborted } from "../../../src/adapters/kafkajs/aborted.ts";
import type { RawMessage } from "../../../src/adapters/kafkajs/messages.ts";

const markerKey = { abort: Buffer.from([0, 0, 0, 0]), commit: Buffer.from([0, 0, 0, 1]) };
const keys = [null, Buffer.alloc(0), markerKey.abort, markerKey.commit];

type Transaction = { readonly producerId: string; readonly first: number; end: number; aborted: boolean };
type Entry = { readonly message: RawMessage; readonly of: Transaction | undefined };

/** A partition whose transactions are noted as they begin and end. */
function makeLog() {
  const entries: Entry[] = [];
  const aborted: Transaction[] = [];
  const open = new Map<string, Transaction>();
  const append = (producerId: string, of: Transaction | undefined, key: Buffer | null, isControl = false) => {
    const offset = String(entries.length);
    const batchContext = {
      firstOffset: offset,
      lastOffsetDelta: 0,
      producerId,
      inTransaction: of !== undefined,
    };
    const rest = { value: null, headers: {}, timestamp: "0", attributes: 0 };
    entries.push({ message: { ...rest, offset, key, isControlRecord: isControl, batchContext }, of });
  };
  const end = (producerId: string, how: "abort" | "commit"): void => {
    const ending = open.get(producerId);
    if (ending === undefined) return;
    append(producerId, ending, markerKey[how], true);
    ending.end = entries.length - 1;
    ending.aborted = how === "abort";
    if (ending.aborted) aborted.push(ending);
    open.delete(producerId);
  };
  return {
    end,
    plain: (key: Buffer | null) => append("-1", undefined, key),
    send(producerId: string, key: Buffer | null) {
      const transaction = open.get(producerId) ?? {
        producerId,
        first: entries.length,
        end: -1,
        aborted: false,
      };
      open.set(producerId, transaction);
      append(producerId, transaction, key);
    },
    /** As a broker answers: in the order of the aborts, those that reach into what it gives. */
    fetch(from: number, to: number) {
      const fetched = entries.slice(from, to);
      const listed: AbortedTransaction[] = aborted
        .filter(({ first, end: marker }) => marker >= from && first < to)
        .map(({ producerId, first }) => ({ producerId, firstOffset: String(first) }));
      const left = fetched.filter(({ message, of }) => message.isControlRecord || of?.aborted !== true);
      const offsets = (messages: readonly RawMessage[]) => messages.map(({ offset }) => Number(offset));
      return {
        given: offsets(
          withoutAborted(
            fetched.map(({ message }) => message),
            listed,
          ),
        ),
        wanted: offsets(left.map(({ message }) => message)),
      };
    },
    endAll: (how: "abort" | "commit") => [...open.keys()].forEach((producerId) => void end(producerId, how)),
    length: () => entries.length,
  };
}

const step = fc.record({
  producer: fc.constantFrom("1", "2", "3"),
  does: fc.constantFrom("send", "send", "send", "abort", "commit", "plain"),
  key: fc.constantFrom(...keys),
});

test("whatever transactions cross, wherever a fetch begins and ends, what was aborted is left out and nothing else", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom("abort", "commit"),
      fc.nat(),
      fc.nat(),
      (steps, last, a, b) => {
        const log = makeLog();
        for (const { producer, does, key } of steps) {
          if (does === "send") log.send(producer, key);
          else if (does === "plain") log.plain(key);
          else log.end(producer, does);
        }
        log.endAll(last);
        const from = a % (log.length() + 1);
        const { given, wanted } = log.fetch(from, from + (b % (log.length() + 1 - from)) + 1);
        expect(given).toEqual(wanted);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a transaction that began first and was aborted last is left out, from wherever its fetch begins", () => {
  const log = makeLog();
  for (const _ of [0, 1, 2]) log.send("1", null);
  log.send("2", null);
  log.end("2", "abort");
  log.send("1", null);
  log.end("1", "abort");
  for (const from of [0, 1, 2, 3, 4, 5, 6])
    expect(log.fetch(from, 7).given).toEqual(from <= 4 ? [4, 6] : [6]);
});

test("an event whose key is that of an abort marker ends no transaction", () => {
  const log = makeLog();
  for (const key of [null, markerKey.abort, null]) log.send("1", key);
  log.end("1", "abort");
  log.plain(markerKey.abort);
  expect(log.fetch(0, 5).given).toEqual([3, 4]);
});
