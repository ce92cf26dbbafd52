/** A service at work meets a fault, and everything that was published meanwhile must come out right once the fault has ended. */
import { expect } from "@jest/globals";
import { type LastroProcess, until } from "./lastro.ts";
import { metric, untilReadiness } from "./operator.ts";
import { outcomesSeen, untilDrained, type World } from "./world.ts";

export type Fault = {
  begin(): unknown;
  /** Resolves when the fault has done its work. */
  meanwhile(lastro: LastroProcess): Promise<unknown>;
  end(): unknown;
  /** What the report should tell. */
  note?(): string;
};

type Storm = {
  /** As the report names it. */
  readonly name: string;
  /** Events before the fault, and again while it lasts. */
  readonly events: number;
  readonly fault: Fault;
  readonly seed: number;
  readonly recoverMsMax?: number;
};

/** Ends with the service stopped and its store checked. */
export async function endure(
  world: World,
  lastro: LastroProcess,
  { name, events, fault, seed, recoverMsMax = 60_000 }: Storm,
): Promise<void> {
  const before = await world.publish(seed, events);
  await until("it is at work", async () => (await outcomesSeen(lastro)) > 0, 30_000, lastro);
  await fault.begin();
  const during = await world.publish(seed + 1, events);
  await fault.meanwhile(lastro);
  await fault.end();
  const endedMs = performance.now();
  await untilDrained(lastro, before.messages + during.messages, recoverMsMax);
  await untilReadiness(lastro, "all is well", ({ status }) => status === "ok");
  const recoveryMs = performance.now() - endedMs;
  expect(await metric(lastro, "lastro_internal_errors_total")).toBe(0);
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter({ fault: name, recoveryMs, note: fault.note?.() }, before, during);
}
