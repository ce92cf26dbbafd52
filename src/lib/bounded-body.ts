/** Bodies that come from others. */

/** The whole body. Throws a RangeError as soon as it is longer than allowed. However small its pieces are, no more is held than twice what came. */
export async function boundedBody(body: AsyncIterable<Uint8Array> | null, bytesMax: number): Promise<Buffer> {
  let held = Buffer.alloc(0);
  let length = 0;
  for await (const piece of body ?? []) {
    const longer = length + piece.length;
    if (longer > bytesMax) throw new RangeError("the answer is too long");
    if (longer > held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(bytesMax, Math.max(longer, 2 * held.length)));
      held.copy(larger);
      held = larger;
    }
    held.set(piece, length);
    length = longer;
  }
  return held.subarray(0, length);
}
