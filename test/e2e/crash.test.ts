/** A client of Kafka that cannot go on ends the running service, which says why: who watches it starts it again. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openTestKafka, type TestKafka } from "../contract/event-source.kafka.ts";
import type { LastroProcess } from "../support/lastro.ts";
import { joinAsStranger } from "../support/stranger.ts";
import { endOf, message, type Service, startService, startTimeoutMs } from "./service.ts";

const groupId = `lastro-${randomUUID()}`;
let service: Service;
beforeAll(async () => {
  service = await startService("sqlite", { LASTRO_KAFKA_GROUP: groupId });
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

/** Stands still until its group has put it out, and goes on once another is in. */
async function takenOver({ process }: LastroProcess, kafka: TestKafka): Promise<AsyncDisposable> {
  process.kill("SIGSTOP");
  try {
    await kafka.untilGroupIs("Empty", groupId);
    return await joinAsStranger(service.world.topic, groupId);
  } finally {
    process.kill("SIGCONT");
  }
}

test(
  "a service whose group another program has taken meanwhile ends with a sentence, and goes on from its mark once it is started again",
  async () => {
    await using kafka = openTestKafka();
    await service.send([message({ metadata: { event_id: "e-1" } })]);
    const lastro = service.lastro();
    {
      await using _stranger = await takenOver(lastro, kafka);
      const { code, output } = await endOf(lastro);
      expect(code).toBe(1);
      expect(output).toContain("SOURCE_UNAVAILABLE: the Kafka client ended and does not restart");
    }
    await service.start();
    await service.send([message({ metadata: { event_id: "e-2" } })]);
  },
  2 * startTimeoutMs,
);
