/** Group offsets for lag tools: one commit in flight with the newest offsets, the rest waits and is overtaken. Losing one is harmless. */

/**
 * kafkajs sends commits and heartbeats one after another to the coordinator, which takes 5 ms a commit: a commit per batch starves the
 * heartbeat. This pause leaves the coordinator's connection to others most of the time.
 */
const commitPauseMs = 50;

export type Commits = {
  note(partition: number, next: number): void;
  /** Drops what waits for partitions that are no longer ours. */
  forget(): void;
  /** Sends what waits without the pause; resolves when nothing waits, or after the budget. */
  flush(budgetMs: number): Promise<void>;
};

export type OffsetCommit = { readonly partition: number; readonly offset: string };

export function coalescedCommits(
  send: (offsets: readonly OffsetCommit[]) => Promise<void>,
  failed: (error: unknown) => void,
): Commits {
  const waiting = new Map<number, number>();
  let inFlight: Promise<void> | undefined;
  let hurry: (() => void) | undefined;
  let flushing = false;

  async function run(): Promise<void> {
    while (waiting.size > 0) {
      const offsets = [...waiting].map(([partition, next]) => ({ partition, offset: String(next) }));
      waiting.clear();
      try {
        await send(offsets);
      } catch (error) {
        failed(error);
      }
      if (!flushing) await pause();
    }
  }

  async function pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, commitPauseMs);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    hurry = undefined;
  }

  return {
    note(partition, next) {
      waiting.set(partition, next);
      inFlight ??= run().finally(() => {
        inFlight = undefined;
      });
    },
    forget() {
      waiting.clear();
    },
    async flush(budgetMs) {
      flushing = true;
      hurry?.();
      const done = inFlight;
      let timer: NodeJS.Timeout | undefined;
      const budget = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, budgetMs);
      });
      await Promise.race([done, budget]);
      clearTimeout(timer);
      flushing = false;
    },
  };
}
