/** Whether this consumer still belongs to its group, and whether it has to let go. What it says is a hint: the store's mark decides. */
import type { Clock } from "../../ports/clock.ts";

export type Membership = {
  joined(): void;
  /** A heartbeat was answered. */
  beat(): void;
  /** A heartbeat failed: the group rebalances, or has put us out, or the broker does not answer. */
  failed(error: unknown): void;
  lost(): void;
  end(): void;
  /** The error that kafkajs has to see so that it joins again; undefined while all is well. */
  rebalance(): unknown;
  /** True when running batches must stop: we were put out, the drain budget is spent, or no heartbeat was answered for a session. */
  mustStop(): boolean;
  isAlive(): boolean;
  readonly heartbeatEveryMs: number;
};

type Options = { readonly sessionTimeoutMs: number; readonly drainBudgetMs: number; readonly now: Clock };

export function openMembership({ sessionTimeoutMs, drainBudgetMs, now }: Options): Membership {
  let state: "out" | "in" | "draining" | "lost" = "out";
  let lastBeatMs = 0;
  let drainUntilMs = 0;
  let cause: unknown;
  const sessionOver = (): boolean => now() - lastBeatMs > sessionTimeoutMs;

  return {
    heartbeatEveryMs: sessionTimeoutMs / 10,
    joined() {
      [state, cause, lastBeatMs] = ["in", undefined, now()];
    },
    beat() {
      lastBeatMs = now();
    },
    failed(error) {
      const type = error instanceof Error && "type" in error ? error.type : undefined;
      if (type === "REBALANCE_IN_PROGRESS") {
        lastBeatMs = now();
        if (state !== "in") return;
        [state, cause, drainUntilMs] = ["draining", error, now() + drainBudgetMs];
      } else if (type === "UNKNOWN_MEMBER_ID" || type === "ILLEGAL_GENERATION") {
        [state, cause] = ["lost", error];
      }
    },
    lost() {
      state = "lost";
    },
    end() {
      state = "out";
    },
    rebalance: () => cause,
    mustStop: () =>
      state === "lost" || state === "out" || sessionOver() || (state === "draining" && now() > drainUntilMs),
    isAlive: () => (state === "in" || state === "draining") && !sessionOver(),
  };
}
