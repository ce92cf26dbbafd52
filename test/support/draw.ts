/** Numbers that look random and are the same for the same seed (mulberry32). */

/** A whole number from 0 up to and without `below`. */
export type Draw = (below: number) => number;

export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function oneOf<T>(draw: Draw, list: readonly T[]): T {
  const item = list[draw(list.length)];
  if (item === undefined) throw new RangeError("nothing to choose from");
  return item;
}
