/** A flood of rejections from several producers looks like a wrong deployment: intake pauses until an operator has looked. */
import { expect, test } from "@jest/globals";
import { PartitionState } from "../../src/gen/lastro/v1/operations_pb.ts";
import {
  getIntake,
  grpcHealth,
  metric,
  readiness,
  resumePartition,
  untilReadiness,
} from "../support/operator.ts";
import { combined, type Message, type Published, plainEvents, storedOnly } from "../support/published.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const window = 100;
/** Of a topic that the service makes. */
const partitionsMade = 6;
const env = { LASTRO_BREAKER_WINDOW: String(window) };

/** Events without their type, from as many producers. */
const broken = (count: number, producers: number, tenant?: string): readonly Message[] =>
  plainEvents(7, count).map(({ key, value }, index) => {
    const event = JSON.parse(value) as { event_type?: string; metadata: { tenant_id?: string } };
    const { event_type: _, ...rest } = event;
    const metadata = { ...event.metadata, ...(tenant !== undefined && { tenant_id: tenant }) };
    return {
      key,
      value: JSON.stringify({ ...rest, producer_service: `service_${index % producers}`, metadata }),
    };
  });
const rejected = (count: number): Published => ({ ...storedOnly([]), messages: count, rejected: count });

test("a flood of rejections from two producers pauses every partition, also over a restart, until the operator closes the breaker", async () => {
  await using world = await makeWorld("sqlite", env);
  const first = await world.start();
  // As many as it takes: what it left unread would open it again.
  await world.send(broken(window, 2));
  await untilReadiness(first, "the breaker opens", ({ parts }) => parts["breaker"]?.ok === false);
  expect((await readiness(first)).status).toBe("unavailable");
  expect((await readiness(first)).parts["kafka"]?.ok).toBe(true);
  expect(await grpcHealth(first)).toBe("SERVING");
  expect(await first.stop()).toBe(0);

  const lastro = await world.spawn();
  await untilReadiness(lastro, "it is still open", ({ parts }) => parts["breaker"]?.ok === false);
  const good = plainEvents(8, 50);
  await world.send(good);
  const { partitions, breaker } = await getIntake(lastro);
  expect(breaker?.open).toBe(true);
  expect(partitions.map(({ state, reason }) => [state, reason])).toEqual(
    Array(partitionsMade).fill([PartitionState.WAITING, "BREAKER_OPEN"]),
  );
  expect(await metric(lastro, "lastro_events_total")).toBe(0);

  await resumePartition(lastro, { target: { case: "breaker", value: true } });
  await untilReadiness(lastro, "it is closed", ({ status }) => status === "ok");
  await untilDrained(lastro, window + good.length);
  expect(await lastro.stop()).toBe(0);
  await world.check(storedOnly(good), rejected(window));
}, 60_000);

test("conflicts, the demo tenant and a single producer do not open the breaker", async () => {
  await using world = await makeWorld("sqlite", env);
  const lastro = await world.start();
  const events = plainEvents(9, 150);
  const conflicts = events.map(({ key, value }) => ({ key, value: value.replace("production", "other") }));
  await world.send(events);
  await world.send(conflicts);
  await world.send(broken(2 * window, 2, "demo"));
  await world.send(broken(2 * window, 1));
  const sum = combined([storedOnly(events), rejected(4 * window)]);
  const messages = sum.messages + conflicts.length;
  await untilDrained(lastro, messages);
  expect((await readiness(lastro)).status).toBe("ok");
  expect(await metric(lastro, "lastro_breaker_open")).toBe(0);
  expect(await lastro.stop()).toBe(0);
  await world.check({ ...sum, messages, conflicts: conflicts.length });
}, 60_000);
