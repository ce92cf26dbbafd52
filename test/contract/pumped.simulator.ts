/** A way of calls of a simulated world in which nothing goes wrong and each call's turn comes by itself. */
import { type Call, callBy, type Way } from "../simulator/calls.ts";
import { makeScheduler } from "../simulator/scheduler.ts";
import { drawFrom } from "../support/draw.ts";

export function pumped(way: Pick<Way, "code" | "faults">): Call {
  const scheduler = makeScheduler(drawFrom(1));
  const life = { name: "one", state: "alive" } as const;
  const call = callBy({ ...way, scheduler, life, onEffect: () => undefined });
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    while (await scheduler.step([]));
    isRunning = false;
  };
  return async (...asked) => {
    const answer = call(...asked);
    void run();
    return answer;
  };
}
