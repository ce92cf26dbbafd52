/** Secure random bytes drawn in bulk and given out once each: asking the system for every event's salts costs more than hashing them. */
const poolBytes = 16 * 1024;
/** More are drawn directly. */
const pooledBytesMax = 256;

type Draw = (bytes: number) => Uint8Array;

export function pooledRandom(draw: Draw): Draw {
  let pool: Uint8Array = new Uint8Array(0);
  let at = 0;
  return (bytes) => {
    if (bytes > pooledBytesMax) return draw(bytes);
    if (at + bytes > pool.length) [pool, at] = [draw(poolBytes), 0];
    at += bytes;
    return pool.subarray(at - bytes, at);
  };
}
