/** Mutations of valid messages, through the parse station, into a store and out again. LASTRO_TEST_MUTATIONS says how many. */
import { expect, test } from "@jest/globals";
import { campaignTimeoutMs, fuzz, report, seed, timesOf } from "../support/fuzz.ts";
import { judge, messageOf, numbered, type Sent, validMessages } from "../support/messages.ts";
import { openReadBack } from "../support/read-back.ts";

const batchEvents = 250;
const forms = Object.entries(validMessages);
const runs = timesOf(1_200, 1 / forms.length);

test.each(forms)(
  `R-02 mutations of %s are refused with a reason or stored as they came, each at once (seed ${seed})`,
  async (form, corpus) => {
    await using store = await openReadBack();
    const waiting: { readonly sent: Sent; readonly accepted: boolean }[] = [];
    const counts = { stored: 0, duplicate: 0, conflict: 0, rejected: 0 };
    let number = 0;
    async function settle(): Promise<void> {
      const judged = waiting.splice(0);
      const fates = await store.publish(judged.map(({ sent }) => sent));
      for (const { kind } of fates) counts[kind] += 1;
      expect(fates.map(({ kind }) => kind !== "rejected")).toEqual(judged.map(({ accepted }) => accepted));
    }
    const check = (input: Buffer): boolean => {
      const sent = messageOf(numbered(input, ++number));
      const accepted = judge(sent);
      waiting.push({ sent, accepted });
      return accepted;
    };
    const settled = () => (waiting.length >= batchEvents ? settle() : undefined);
    await fuzz({ name: form, corpus, check, settled }, runs);
    if (waiting.length > 0) await settle();
    report(`${form}: ${JSON.stringify(counts)}`);
    expect(counts.stored).toBeGreaterThan(runs / 20);
    expect(counts.rejected).toBeGreaterThan(runs / 20);
  },
  campaignTimeoutMs,
);
