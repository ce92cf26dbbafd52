import { expect, test } from "@jest/globals";
import { boundedBody } from "../../src/lib/bounded-body.ts";

/** Each piece in the memory of the one before. */
async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(size);
  for (let at = 0; at < text.length; at += size)
    yield piece.subarray(0, piece.write(text.slice(at, at + size)));
}
const text = "abcdefghij".repeat(100);

test.each([1, 7, 1_000, 4_096])(
  "a body in pieces of %i bytes is whole, and holds on to none of them",
  async (size) => {
    expect((await boundedBody(pieces(text, size), text.length)).toString()).toBe(text);
  },
);

test("a body one byte longer than allowed is refused; none is empty", async () => {
  await expect(boundedBody(pieces(text, 7), text.length - 1)).rejects.toThrow(RangeError);
  expect(await boundedBody(null, 0)).toHaveLength(0);
});
