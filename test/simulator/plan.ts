/** What a seed makes of its world: few things go wrong in each, other ones in another. */
import { type Draw, drawFrom } from "../support/draw.ts";
import { type Faults, noFaults } from "./calls.ts";
import { type Message, makeLoad } from "./load.ts";

export type Plan = {
  readonly partitions: number;
  readonly intakes: number;
  readonly sequencers: number;
  readonly messages: readonly Message[];
  readonly turns: number;
  readonly isStepwise: boolean;
  readonly faults: Faults;
  readonly hints: { readonly away: number; readonly forgets: number };
  /** Of a hundred readings of the key ring those that fail, and those that do not see what has come since the last one; undefined: it is at hand. */
  readonly ring: { readonly away: number; readonly late: number } | undefined;
  /** Of a hundred calls those that nobody answers; undefined: there is none to ask. The store may be older than what they saw. */
  readonly witnessAway: number | undefined;
  readonly anchorAway: number | undefined;
  /** The lease is given to whoever asks: it saves work, and nothing rests on it. */
  readonly isLeaseFree: boolean;
  readonly crashes: boolean;
  readonly freezes: boolean;
  readonly rebalances: boolean;
  readonly clocks: boolean;
  readonly restores: boolean;
  /** Processes are asked to stop, and others take their place. */
  readonly stops: boolean;
  /** Everything is down until retention has taken what was not read; or a partition stands still for so long. */
  readonly retention: boolean;
  /** The topic is deleted and made again. */
  readonly recreates: boolean;
  /** So much is no event that the breaker opens. */
  readonly floods: boolean;
  /** Key-encryption keys at most: each that is added is the current one at once. */
  readonly keks: number;
  /** Nothing goes wrong at all: then nothing is delivered twice, either. */
  readonly isCalm: boolean;
};

/** Drawn apart from the rest, so that a change to one of them leaves the others as they were. */
const streams = { plan: 0, load: 1, turns: 2, random: 3, ring: 4, owners: 5 } as const;
export const drawOf = (seed: number, stream: keyof typeof streams) =>
  drawFrom(Math.imul(seed, 0x9e3779b1) + Math.imul(streams[stream], 0x85ebca6b));

const calm = {
  isCalm: true, stops: true, faults: noFaults, ring: undefined,
  crashes: false, freezes: false, rebalances: false, restores: false, retention: false, recreates: false,
  // An open breaker, and others who write the same streams, end a batch between two tries of its append.
  floods: false, intakes: 1,
} as const; // biome-ignore format: a table

const choiceBy =
  (draw: Draw) =>
  <T>(...values: readonly [T, ...T[]]): T =>
    values[draw(values.length)] ?? values[0];

export function planOf(seed: number): Plan {
  const draw = drawOf(seed, "plan");
  const of = choiceBy(draw);
  const partitions = 1 + draw(3);
  const spreads = draw(3) === 0;
  const floods = of(true, false, false, false, false);
  const isCalm = draw(16) === 0;
  const ring = choiceBy(drawOf(seed, "ring"))(
    undefined,
    undefined,
    { away: 0, late: 80 },
    { away: 20, late: 50 },
  );
  return {
    partitions,
    intakes: 1 + draw(3),
    sequencers: draw(3),
    messages: makeLoad(drawOf(seed, "load"), 8 + draw(32), partitions, {
      spreads,
      floods,
      owners: choiceBy(drawOf(seed, "owners"))(1, 1, 3, 12),
    }),
    turns: 100 + draw(300),
    isStepwise: of(true, false),
    faults: { lost: of(0, 0, 2, 8), unknown: of(0, 0, 2, 8) },
    hints: { away: of(0, 0, 20, 100), forgets: of(0, 50) },
    ring,
    witnessAway: of(undefined, undefined, 0, 50),
    anchorAway: of(undefined, 0, 50),
    isLeaseFree: of(true, false),
    // Whoever starts reads the ring anew.
    crashes: of(true, false) && ring === undefined,
    freezes: of(true, false),
    rebalances: of(true, false),
    clocks: of(true, false, false),
    restores: of(true, false, false, false),
    stops: of(true, false),
    retention: of(true, false, false, false),
    recreates: of(true, false, false, false, false),
    floods,
    keks: Math.max(of(3, 1, 1, 1), ring === undefined ? 1 : 6),
    isCalm: false,
    ...(isCalm && calm),
  };
}
