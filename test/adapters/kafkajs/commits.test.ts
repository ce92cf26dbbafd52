/** Commits are coalesced: one in flight, the newest offsets, none of them waited for. */
import { expect, test } from "@jest/globals";
import { coalescedCommits, type OffsetCommit } from "../../../src/adapters/kafkajs/commits.ts";

test("a thousand notes while one commit is in flight become one more commit with the newest offsets", async () => {
  const sent: (readonly OffsetCommit[])[] = [];
  let inFlight = 0;
  let most = 0;
  const commits = coalescedCommits(
    async (offsets) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((resolve) => setTimeout(resolve, 20));
      sent.push(offsets);
      inFlight -= 1;
    },
    () => undefined,
  );
  for (let next = 1; next <= 1_000; next += 1) {
    commits.note(0, next);
    commits.note(1, next * 2);
  }
  await commits.flush(2_000);
  expect(most).toBe(1);
  expect(sent.length).toBe(2);
  expect(new Map(sent.at(-1)?.map(({ partition, offset }) => [partition, offset]))).toEqual(
    new Map([
      [0, "1000"],
      [1, "2000"],
    ]),
  );
});

test("a commit that fails is told and hurts nobody; the next one goes out", async () => {
  const failures: unknown[] = [];
  let tries = 0;
  const commits = coalescedCommits(
    async () => {
      tries += 1;
      if (tries === 1) throw new Error("rebalancing");
    },
    (error) => failures.push(error),
  );
  commits.note(0, 1);
  await commits.flush(2_000);
  commits.note(0, 2);
  await commits.flush(2_000);
  expect([tries, failures.length]).toEqual([2, 1]);
});

test("flushing ends at its budget even if the broker never answers", async () => {
  const commits = coalescedCommits(
    () => new Promise(() => undefined),
    () => undefined,
  );
  commits.note(0, 1);
  await commits.flush(50);
});
