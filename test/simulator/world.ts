/** One world of a seed: a topic, a store, and processes that come and go. Everything in it is as the seed says. */

import { memoryHints } from "../../src/adapters/memory/hints.ts";
import type { Consumer } from "../../src/ingest/consume.ts";
import type { Halt } from "../../src/log/halt.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";
import type { EventSource } from "../../src/ports/event-source.ts";
import type { LogHead } from "../../src/ports/log-store.ts";
import { openStoreKeys } from "../../src/privacy/store-keys.ts";
import { type TestWitness, testWitness } from "../support/asked-witness.ts";
import { nowMs } from "../support/intake.ts";
import { never } from "../support/log-world.ts";
import { type MemoryRing, memoryKeyRing } from "../support/memory-keys.ts";
import { type Broker, makeBroker } from "./broker.ts";
import type { Letter } from "./letters.ts";
import { type OutcomesSeen, watchOutcomes } from "./outcomes.ts";
import { openPlace, type Place } from "./place.ts";
import { drawOf, type Plan, planOf } from "./plan.ts";
import { type Life, makeScheduler, type Scheduler } from "./scheduler.ts";
import { type MemorySigner, memorySigner } from "./signer.ts";
import { topic } from "./topic.ts";
import { type TreeSeen, watchTree } from "./tree.ts";
import { assert } from "./violation.ts";

export type Process = Life & {
  readonly role: "intake" | "sequencer";
  /** Told to end its work and go. */
  readonly stop: AbortController;
  skewMs: number;
  /** Of intake that has started. */
  intake: { readonly consumer: Consumer; readonly source: EventSource } | undefined;
  /** An operator waits for what it does. */
  isOperated: boolean;
};

export type World = {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly place: Place;
  readonly broker: Broker;
  readonly ring: MemoryRing;
  readonly signer: MemorySigner;
  readonly witness: TestWitness;
  readonly random: (bytes: number) => Uint8Array;
  /** What the anchor keeps, by size. */
  readonly anchored: Map<number, Uint8Array>;
  readonly hints: DedupHints;
  readonly letters: Letter[];
  readonly signed: LogHead[];
  readonly lives: Process[];
  /** Messages that were published. */
  sent: number;
  /** What goes wrong is over. */
  isQuiet: boolean;
  outcomes: OutcomesSeen;
  tree: TreeSeen;
  halt: Halt | undefined;
  /** What processes said or did; held against the store at the end of the turn, because a process would take a Violation for trouble. */
  readonly claims: (() => void)[];
  /** What the last turns wrote to, and has to be looked at. */
  readonly written: Set<"records" | "log">;
};

const seedBytes = 32;
const hintsMax = 10_000;
export async function openWorld(seed: number): Promise<World> {
  const plan = planOf(seed);
  const bytes = drawOf(seed, "random");
  const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => bytes(256));
  const scheduler = makeScheduler(drawOf(seed, "turns"));
  const place = openPlace();
  const { state } = place.store;
  const ring = memoryKeyRing([1]);
  await openStoreKeys({ state, ring, random, now: () => nowMs }, never);
  const broker = makeBroker(scheduler, plan.partitions, {
    batchMax: 6,
    isOrderly: plan.isCalm,
    accepted: async () => (await state.read(never))?.identity.kafka?.topics[topic]?.at(-1),
    onCommit: (src, next) =>
      world.claims.push(() =>
        assert(
          next <= world.outcomes.mark(src),
          () => `${src}: ${next} is committed before it is accounted for`,
        ),
      ),
  });
  const signed: LogHead[] = [];
  const letters: Letter[] = [];
  const signer = memorySigner(random(seedBytes));
  const witness = await testWitness({ logKeys: async () => signer.keys() }, "witness.test/one");
  const world: World = {
    plan, scheduler, place, broker, ring, random, letters, signed, signer, witness,
    lives: [], sent: 0, isQuiet: false,
    anchored: new Map(),
    hints: memoryHints({ uidsMax: hintsMax }),
    outcomes: watchOutcomes(place.store, broker.partitions, letters),
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
  world.outcomes = watchOutcomes(store, world.broker.partitions, world.letters);
  world.tree = watchTree(store.log, world.signed);
  await world.outcomes.look();
  await world.tree.look(world.outcomes.mark);
}
