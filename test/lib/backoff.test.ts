import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs, sleep } from "../../src/lib/backoff.ts";

const constant = (byte: number) => (bytes: number) => new Uint8Array(bytes).fill(byte);

describe("backoff", () => {
  test("never waits less than the minimum or more than the maximum", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.integer({ min: 0, max: 60_000 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        (attempt, minMs, extraMs, bytes) => {
          const wait = backoffMs(attempt, minMs, minMs + extraMs, () => bytes);
          expect(wait).toBeGreaterThanOrEqual(minMs);
          expect(wait).toBeLessThanOrEqual(minMs + extraMs);
        },
      ),
    );
  });

  test("the window doubles with each attempt until the maximum", () => {
    const longest = [1, 2, 3, 4, 5].map((attempt) => backoffMs(attempt, 100, 1_000, constant(255)));
    expect(longest).toEqual([199, 399, 799, 999, 999]);
    expect(backoffMs(3, 100, 1_000, constant(0))).toBe(100);
    expect(backoffMs(3, 100, 1_000, constant(128))).toBeGreaterThan(440);
  });

  test("a sleep ends with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const sleeping = sleep(60_000, stop.signal);
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(sleep(60_000, stop.signal)).rejects.toBe(reason);
    await expect(sleep(1, new AbortController().signal)).resolves.toBeUndefined();
  });
});
