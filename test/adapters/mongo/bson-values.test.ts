/** Ids as BSON values: without loss, and in the order of their positions. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { dateOf, keyOf, ridKey, ridOfKey, textOf } from "../../../src/adapters/mongo/bson-values.ts";
import { type Rid, ridOf, srcOf, type TopicId } from "../../../src/core/ids.ts";

const position = fc.record({
  topic: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  partition: fc.integer({ min: 0, max: 0x7fff_ffff }),
  offset: fc.maxSafeNat(),
});
type Position = { readonly topic: Uint8Array; readonly partition: number; readonly offset: number };
const ridAt = ({ topic, partition, offset }: Position): Rid =>
  ridOf(srcOf(Buffer.from(topic).toString("base64url") as TopicId, partition), offset);

describe("ids as BSON values", () => {
  test("any text comes back as it was, and what is base64url is kept as bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.uint8Array().map((b) => Buffer.from(b).toString("base64url")),
        ),
        (text) => {
          expect(textOf(keyOf(text))).toBe(text);
        },
      ),
    );
    expect(typeof keyOf("q".repeat(43).replace(/.$/, "o"))).toBe("object");
    expect(typeof keyOf(`x/${"A".repeat(22)}.0.1`)).toBe("string");
  });

  test("R-05 a record's key gives its id back and orders by topic, partition, offset", () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(ridOfKey(ridKey(ridAt(a)))).toBe(ridAt(a));
        const byPosition =
          Buffer.compare(a.topic, b.topic) ||
          Math.sign(a.partition - b.partition) ||
          Math.sign(a.offset - b.offset);
        expect(Buffer.compare(ridKey(ridAt(a)).value(), ridKey(ridAt(b)).value())).toBe(byPosition);
      }),
    );
  });

  test("a text that is no record id is refused, a time beyond what a date holds is cut", () => {
    expect(() => ridKey("nothing" as Rid)).toThrow("no valid form");
    expect(dateOf(Number.MAX_VALUE).getTime()).toBe(8_640_000_000_000_000);
    expect(dateOf(-Number.MAX_VALUE).getTime()).toBe(-8_640_000_000_000_000);
  });
});
