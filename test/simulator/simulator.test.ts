/** Worlds drawn from seeds, in which much goes wrong: what was promised holds after each step. `npm run test:simulate` runs many more. */
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { type Simulated, simulate } from "./simulate.ts";

const seedsEnd = 2 ** 31;
const first = Number(process.env["LASTRO_TEST_SIM_SEED"] ?? randomInt(seedsEnd));
const count = Number(process.env["LASTRO_TEST_SIM_SEEDS"] ?? 500);
/** Found once, and run ever since. */
const regressions: readonly { readonly seed: number; readonly was: string }[] = JSON.parse(
  readFileSync(new URL("regressions.json", import.meta.url), "utf8"),
);
const decisionsShown = 200;
const seedMsMax = 2_000;

/** What somebody needs who has to mend it. */
function story({ seed, plan, trace, broken }: Simulated): string {
  const { messages, ...rest } = plan;
  return [
    `seed ${seed}: ${broken instanceof Error ? broken.stack : String(broken)}`,
    `alone: LASTRO_TEST_SIM_SEED=${seed} LASTRO_TEST_SIM_SEEDS=1 npm run jest -- test/simulator`,
    `once mended, add it to test/simulator/regressions.json`,
    JSON.stringify({ ...rest, messages: messages.length }),
    `the last of ${trace.length} decisions:`,
    ...trace.slice(-decisionsShown),
  ].join("\n");
}

process.stdout.write(`${count} worlds from seed ${first} (LASTRO_TEST_SIM_SEED)\n`);

test(
  "R-05 R-07 nothing is lost, doubled, reordered or taken back, whatever goes wrong in whichever order",
  async () => {
    for (let seed = first; seed < first + count; seed++) {
      const simulated = await simulate(seed % seedsEnd);
      if (simulated.broken !== undefined) throw new Error(story(simulated));
    }
  },
  count * seedMsMax,
);

for (const { seed, was } of regressions)
  test(`nor in the world of seed ${seed}: ${was}`, async () => {
    const simulated = await simulate(seed);
    if (simulated.broken !== undefined) throw new Error(story(simulated));
  });

test("the same seed makes the same decisions", async () => {
  const [one, other] = [await simulate(first), await simulate(first)];
  expect(other.trace).toEqual(one.trace);
});
