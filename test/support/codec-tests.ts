/** What is asked of every parser that has a writer. */
import { expect, test } from "@jest/globals";
import { type Codec, checkRoundTrip, targetOf } from "./codecs.ts";
import { campaignTimeoutMs, fuzz, seed, timesOf } from "./fuzz.ts";

export function codecTests<Value>(codec: Codec<Value>, runs = timesOf(2_000)): void {
  test(`${codec.name} are read back as what was written (seed ${seed})`, () => checkRoundTrip(codec));
  test(
    `${codec.name} that were mutated are refused, or read as what they say (seed ${seed})`,
    async () => {
      const { accepted } = await fuzz(targetOf(codec), runs);
      expect(accepted).toBeLessThan(runs);
    },
    campaignTimeoutMs,
  );
}
