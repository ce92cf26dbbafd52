/** Chance with a seed: the same seed tells the same day. Not for secrets. */

export type Chance = {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** Whole, from 0 up to, not including, `below`. */
  below(below: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
  uuid(): string;
};

/** FNV-1a, so that a text can be a seed. */
const seedOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
};

/** mulberry32. */
export function seededChance(seed: string): Chance {
  let state = seedOf(seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const hex = (digits: number): string => {
    let text = "";
    while (text.length < digits) text += below(16).toString(16);
    return text;
  };
  return {
    next,
    below,
    pick: (list) => list[below(list.length)] ?? list[0],
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
  };
}
