/** Members of the group come and go under load, from one to six and back, by leaving and by dying: the partitions wander, and each offset keeps its one outcome. */
import { expect, test } from "@jest/globals";
import { drawFrom, oneOf } from "../support/draw.ts";
import { createTopic } from "../support/kafka-admin.ts";
import type { LastroProcess } from "../support/lastro.ts";
import type { Published } from "../support/published.ts";
import { rounds, seed } from "../support/rounds.ts";
import { kafkaBrokers } from "../support/servers.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const [partitions, membersMax, eventsPerStep] = [12, 6, 20];
/** One to six and back; then, in the long form, as it is drawn. */
const scale = [...Array(membersMax - 1).fill("join"), ...Array(membersMax - 1).fill("leave")] as const;
const drawnSteps = (rounds - 1) * 3;

test(
  "members that join, leave and die under load, one to six and back on 12 partitions, lose nothing, double nothing and leave no hole",
  async () => {
    const draw = drawFrom(seed);
    await using world = await makeWorld("mongodb", { LASTRO_BATCH_SIZE_MAX: "10" });
    await createTopic(kafkaBrokers().join(","), world.topic, partitions);
    // One before the others: FerretDB does not survive two processes that prepare one empty database at once.
    const members: LastroProcess[] = [await world.start()];
    const published: Published[] = [];
    const steps = [
      ...scale,
      ...Array.from({ length: drawnSteps }, () => oneOf(draw, ["join", "leave"] as const)),
    ];
    for (const [index, step] of steps.entries()) {
      published.push(await world.publish(index + 1, eventsPerStep));
      if (step === "join" && members.length < membersMax) members.push(await world.start());
      if (step === "leave" && members.length > 1) {
        const [leaving] = members.splice(draw(members.length), 1);
        const signal = oneOf(draw, ["SIGTERM", "SIGKILL"] as const);
        expect(await leaving?.stop(signal)).toBe(signal === "SIGTERM" ? 0 : "SIGKILL");
      }
    }
    for (const leaving of members.splice(1)) expect(await leaving.stop()).toBe(0);
    const [last] = members;
    if (last === undefined) throw new Error("nobody is left");
    const calmMs = performance.now();
    await untilDrained(
      last,
      published.reduce((sum, { messages }) => sum + messages, 0),
      180_000,
    );
    const recoveryMs = performance.now() - calmMs;
    expect(await last.stop()).toBe(0);
    const note = `${steps.length} joins, leaves and deaths`;
    await world.checkAfter(
      { fault: "members come and go, one to six and back", recoveryMs, note },
      ...published,
    );
  },
  600_000 + drawnSteps * 30_000,
);
