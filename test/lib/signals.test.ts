import { expect, test } from "@jest/globals";
import { untilSignal, withDeadline } from "../../src/lib/signals.ts";

test("the first signal aborts and takes the listeners away, so that a second one ends the process", () => {
  const before = process.listenerCount("SIGTERM");
  const signal = untilSignal();
  expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  expect(signal.aborted).toBe(false);
  process.emit("SIGTERM", "SIGTERM");
  expect(signal.aborted).toBe(true);
  expect(process.listenerCount("SIGTERM")).toBe(before);
  expect(process.listenerCount("SIGINT")).toBe(0);
});

test("a deadline aborts after its time, or as soon as the outer signal does", async () => {
  const outer = new AbortController();
  const timed = withDeadline(outer.signal, 5);
  await new Promise((done) => timed.addEventListener("abort", done));
  expect(timed.reason).toHaveProperty("name", "TimeoutError");
  const patient = withDeadline(outer.signal, 60_000);
  outer.abort();
  expect(patient.aborted).toBe(true);
});
