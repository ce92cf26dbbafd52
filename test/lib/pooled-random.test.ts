import { expect, test } from "@jest/globals";
import { pooledRandom } from "../../src/lib/pooled-random.ts";

const wordBytes = 4;

/** Counts on, so that no word comes twice. */
function counting() {
  let drawn = 0;
  const sizes: number[] = [];
  const draw = (bytes: number): Uint8Array => {
    sizes.push(bytes);
    const words = Uint32Array.from({ length: bytes / wordBytes }, () => drawn++);
    return new Uint8Array(words.buffer);
  };
  return { draw, sizes };
}

test("every byte of the source is given out once at most, and later draws leave earlier ones as they were", () => {
  const { draw, sizes } = counting();
  const random = pooledRandom(draw);
  const given = Array.from({ length: 5_000 }, (_, n) => random(wordBytes * (1 + (n % 20))));
  const words = given.flatMap((bytes) => [...new Uint32Array(Uint8Array.from(bytes).buffer)]);
  expect(given.map(({ length }) => length)).toEqual(given.map((_, n) => wordBytes * (1 + (n % 20))));
  expect(new Set(words).size).toBe(words.length);
  expect(sizes.length).toBeLessThan(20);
});

test("few bytes come from a pool, many are drawn for themselves", () => {
  const { draw, sizes } = counting();
  const random = pooledRandom(draw);
  for (let n = 0; n < 100; n++) random(32);
  expect(sizes).toHaveLength(1);
  expect(random(1_000)).toHaveLength(1_000);
  expect(sizes.at(-1)).toBe(1_000);
});
