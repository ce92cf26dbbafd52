/** One world of a seed: a topic, a store, and processes that come and go. Everything in it is as the seed says. */

import type { Uid } from "../../src/core/ids.ts";
import type { Halt } from "../../src/log/halt.ts";
import type { DeadLetter } from "../../src/ports/dead-letters.ts";
import type { LogHead } from "../../src/ports/log-store.ts";
import { openStoreKeys, type StoreKeys } from "../../src/privacy/store-keys.ts";
import { type TestWitness, testWitness } from "../support/asked-witness.ts";
import { drawFrom } from "../support/draw.ts";
import { nowMs } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import { memoryKeyRing } from "../support/memory-keys.ts";
import { type Broker, makeBroker } from "./broker.ts";
import { type Faults, noFaults } from "./calls.ts";
import { idOf, type Message, makeLoad } from "./load.ts";
import { type OutcomesSeen, watchOutcomes } from "./outcomes.ts";
import { openPlace, type Place } from "./place.ts";
import { type Life, makeScheduler, type Scheduler } from "./scheduler.ts";
import { type MemorySigner, memorySigner } from "./signer.ts";
import { type TreeSeen, watchTree } from "./tree.ts";
import { assert } from "./violation.ts";

/** What a seed makes of its world: few things go wrong in each, other ones in another. */
export type Plan = {
  readonly partitions: number;
  readonly intakes: number;
  readonly sequencers: number;
  readonly messages: readonly Message[];
  readonly turns: number;
  readonly isStepwise: boolean;
  readonly faults: Faults;
  readonly hints: { readonly away: number; readonly forgets: number };
  /** Whether a witness is asked to cosign; the store may be older than what it saw. */
  readonly isWitnessed: boolean;
  /** The lease is given to whoever asks: it saves work, and nothing rests on it. */
  readonly isLeaseFree: boolean;
  readonly crashes: boolean;
  readonly freezes: boolean;
  readonly rebalances: boolean;
  readonly clocks: boolean;
  readonly restores: boolean;
};

export type World = {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly place: Place;
  readonly broker: Broker;
  readonly keys: StoreKeys;
  readonly signer: MemorySigner;
  readonly witness: TestWitness;
  readonly random: (bytes: number) => Uint8Array;
  readonly remembered: Set<Uid>;
  readonly letters: DeadLetter[];
  readonly signed: LogHead[];
  readonly lives: (Life & { readonly role: "intake" | "sequencer"; skewMs: number })[];
  faults: Faults;
  outcomes: OutcomesSeen;
  tree: TreeSeen;
  halt: Halt | undefined;
  /** What processes said or did; held against the store at the end of the turn, because a process would take a Violation for trouble. */
  readonly claims: (() => void)[];
  /** What the last turns wrote to, and has to be looked at. */
  readonly written: Set<"records" | "log">;
};

const seedBytes = 32;
/** Drawn apart from the rest, so that a change to one of them leaves the others as they were. */
const streams = { plan: 0, load: 1, turns: 2, random: 3 } as const;
const drawOf = (seed: number, stream: keyof typeof streams) =>
  drawFrom(Math.imul(seed, 0x9e3779b1) + Math.imul(streams[stream], 0x85ebca6b));

export function planOf(seed: number): Plan {
  const draw = drawOf(seed, "plan");
  const of = <T>(...values: readonly [T, ...T[]]): T => values[draw(values.length)] ?? values[0];
  const partitions = 1 + draw(3);
  const spreads = draw(3) === 0;
  return {
    partitions,
    intakes: 1 + draw(3),
    sequencers: draw(3),
    messages: makeLoad(drawOf(seed, "load"), 8 + draw(32), partitions, spreads),
    turns: 100 + draw(300),
    isStepwise: of(true, false),
    faults: { lost: of(0, 0, 2, 8), unknown: of(0, 0, 2, 8) },
    hints: { away: of(0, 0, 20, 100), forgets: of(0, 50) },
    isWitnessed: of(true, false, false),
    isLeaseFree: of(true, false),
    crashes: of(true, false),
    freezes: of(true, false),
    rebalances: of(true, false),
    clocks: of(true, false, false),
    restores: of(true, false, false, false),
  };
}

export async function openWorld(seed: number): Promise<World> {
  const plan = planOf(seed);
  const bytes = drawOf(seed, "random");
  const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => bytes(256));
  const scheduler = makeScheduler(drawOf(seed, "turns"));
  const place = openPlace();
  const ring = memoryKeyRing([1]);
  const keys = await openStoreKeys({ state: place.store.state, ring, random, now: () => nowMs }, never);
  const broker = makeBroker(scheduler, plan.partitions, (src, next) =>
    world.claims.push(() =>
      assert(
        next <= world.outcomes.mark(src),
        () => `${src}: ${next} is committed before it is accounted for`,
      ),
    ),
  );
  const signed: LogHead[] = [];
  const signer = memorySigner(random(seedBytes));
  const witness = await testWitness({ logKeys: async () => signer.keys() }, "witness.test/one");
  const world: World = {
    plan, scheduler, place, broker, keys, random, signed, lives: [], letters: [],
    signer, witness,
    remembered: new Set(),
    faults: plan.faults,
    outcomes: watchOutcomes(place.store.audit, broker.partitions),
    tree: watchTree(place.store.log, signed),
    halt: undefined, claims: [], written: new Set(),
  }; // biome-ignore format: one line a name
  return world;
}

/** Leaves that the log cannot take back: they were signed, or a witness saw them. */
export const committedSize = ({ signer, witness }: World): number =>
  Math.max(signer.signed()?.size ?? 0, witness.seen?.size ?? 0);

/** Everything that the turn wrote and claimed keeps the promises. */
export async function look(world: World): Promise<void> {
  const { written, outcomes, tree, claims } = world;
  if (written.has("records")) await outcomes.look();
  if (written.size > 0) await tree.look(outcomes.mark);
  written.clear();
  for (const claim of claims.splice(0)) claim();
}

/** The store is what it was; nobody who saw it later is alive. */
export async function restore(world: World, putBack: () => void): Promise<void> {
  putBack();
  const { store } = world.place;
  world.outcomes = watchOutcomes(store.audit, world.broker.partitions);
  world.tree = watchTree(store.log, world.signed);
  await world.outcomes.look();
  await world.tree.look(world.outcomes.mark);
}

/** Trouble of infrastructure never makes a dead letter: only what is no event, or not the only one of its identity, may be one. */
export function checkLetter({ broker }: World, { source, event }: DeadLetter): void {
  const value = Buffer.from(event.value ?? []).toString("utf8");
  const sent = broker.partitions[source.partition]?.events[source.offset]?.value;
  assert(
    sent !== null && sent !== undefined && Buffer.compare(sent, event.value ?? new Uint8Array()) === 0,
    () => `a letter holds other bytes than ${source.offset}`,
  );
  const id = idOf(value);
  const rivals = broker.partitions.flatMap(({ events }) =>
    events.filter(
      (one) =>
        one?.value &&
        idOf(Buffer.from(one.value).toString("utf8")) === id &&
        Buffer.compare(one.value, event.value ?? new Uint8Array()) !== 0,
    ),
  );
  assert(
    id === undefined || rivals.length > 0,
    () => `a good event at ${source.offset} became a dead letter`,
  );
}

export const quiet = noFaults;
