/** Whatever order intake and sequencers take turns in, the log is whole. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { leafHash } from "../../src/core/leaf.ts";
import { rootOf } from "../../src/core/merkle.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { type LogPoint, logPoints } from "../../src/ports/observer.ts";
import { checkLogged, checkPrefixes } from "../support/log-checker.ts";
import { at, type LogWorld, never, openLogWorld } from "../support/log-world.ts";
import { makeScene } from "../support/records.ts";

const runs = Number(process.env["LASTRO_TEST_PROPERTY_RUNS"] ?? 25);
const partitions = 3;

const fates = fc.string({
  unit: fc.constantFrom("s", "s", "s", "d", "c", "r", "g"),
  minLength: 1,
  maxLength: 60,
});
type Turn =
  | { readonly kind: "intake"; readonly partition: number; readonly fates: string }
  | { readonly kind: "pass" }
  | { readonly kind: "cut"; readonly rows: number }
  | { readonly kind: "die"; readonly point: LogPoint }
  | { readonly kind: "both" }
  | { readonly kind: "idle"; readonly ms: number };
const turn: fc.Arbitrary<Turn> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("intake"), partition: fc.nat(partitions - 1), fates }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), rows: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("die"), point: fc.constantFrom(...logPoints) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("both") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("idle"), ms: fc.nat(60_000) }) },
);

class Died extends Error {}
const dies = (): never => {
  throw new Died();
};
const alive = (error: unknown): void => {
  if (!(error instanceof Died)) throw error;
};

async function take(
  world: LogWorld,
  scenes: readonly ReturnType<typeof makeScene>[],
  step: Turn,
): Promise<void> {
  switch (step.kind) {
    case "intake": {
      const scene = scenes[step.partition];
      if (scene !== undefined) await world.intake(scene, step.fates);
      return;
    }
    case "pass":
      await world.pass();
      return;
    case "cut": {
      const log: LogWorld["deps"]["log"] = {
        ...world.deps.log,
        async append(rows, signal) {
          await world.deps.log.append(rows.slice(0, step.rows), signal);
          return dies();
        },
      };
      await world.pass({ log }).catch(alive);
      return;
    }
    case "die":
      await world.pass({ reached: at(step.point, dies) }).catch(alive);
      return;
    case "both":
      await Promise.all([world.pass(), world.pass()]);
      return;
    case "idle":
      world.nowMs += step.ms;
  }
}

/** Found once: two passes meet at a run that both would finish. */
const met: readonly Turn[] = [
  { kind: "both" },
  { kind: "intake", partition: 0, fates: "s" },
  { kind: "cut", rows: 1 },
  { kind: "pass" },
  { kind: "both" },
  { kind: "pass" },
];

test("dense indexes, each record once, coverage without holes, and the root of all leaves, whatever the order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 25 }), async (turns) => {
      await using world = await openLogWorld({ batchMax: 50 });
      const scenes = Array.from({ length: partitions }, (_, n) => makeScene(0x41 + n));
      for (const step of turns) await take(world, scenes, step);
      await world.drain();
      const log = await checkLogged(world.store);
      const leaves = log.leaves.map(({ stored }) => leafHash(sha256, stored ?? ""));
      expect(new Uint8Array((await world.store.log.head(never))?.root ?? [])).toEqual(
        new Uint8Array(rootOf(sha256, leaves)),
      );
      await checkPrefixes(world.store, log, world.notes);
    }),
    { numRuns: runs, verbose: true, examples: [[[...met]]] },
  );
}, 240_000);
