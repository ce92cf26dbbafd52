/** A copy in the middle of a batch, which no hint announces: only the unique index tells, and the versions behind it move up. */
import { expect, test } from "@jest/globals";
import { eventStream } from "../bench/events.ts";
import { storedOnly } from "../support/published.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const oneEntity = { entities: 1, ownerships: 1, startMs: Date.UTC(2026, 10, 1) };

test.each(["sqlite", "mongodb"] as const)(
  "on %s a duplicate in the middle of a batch with three events of one stream leaves no hole behind it",
  async (kind) => {
    const changes = eventStream(1, oneEntity).filter(({ value }) => value.includes(".updated"));
    const [old, first, second, third] = [...changes.take(4)];
    if (old === undefined || first === undefined || second === undefined || third === undefined)
      throw new Error("too few events");
    // Hints live in the process here, so that a restart forgets them.
    await using world = await makeWorld(kind, { LASTRO_REDIS_URL: "" });
    const before = await world.start();
    await world.send([old]);
    await untilDrained(before, 1);
    expect(await before.stop()).toBe(0);

    await world.send([first, old, second, first, third]);
    const after = await world.start();
    await untilDrained(after, 6);
    expect(await after.stop()).toBe(0);
    await world.check({ ...storedOnly([old, first, second, third]), duplicates: 2 });
  },
  60_000,
);
