/** The part of the composition root that looks at the store over and over: whether it answers, and how far it lies behind Kafka. */
import type { Consumer } from "./ingest/consume.ts";
import type { StoreLag } from "./ingest/store-lag.ts";
import { withDeadline } from "./lib/signals.ts";
import { repeat } from "./lib/upkeep.ts";
import type { Store } from "./ports/store.ts";

const lookMs = 2_000;
const lookTimeoutMs = 5_000;

/** Serving while the store answers. Returns what the last look found. */
export function watchStore(
  { state }: Pick<Store, "state">,
  setServing: (isServing: boolean) => void,
  noticeBreaker: Consumer["noticeBreaker"],
  signal: AbortSignal,
): () => boolean {
  let isUp = false;
  const note = (answers: boolean): void => {
    isUp = answers;
    setServing(answers);
  };
  const look = async (): Promise<void> => {
    noticeBreaker(await state.breaker(withDeadline(signal, lookTimeoutMs)));
    note(true);
  };
  void repeat(lookMs, signal, look, () => note(false));
  return () => isUp;
}

/** While Kafka or the store does not answer the lag grows by itself. */
export function watchLag({ look }: StoreLag, signal: AbortSignal): void {
  void repeat(
    lookMs,
    signal,
    () => look(withDeadline(signal, lookTimeoutMs)),
    () => undefined,
  );
}
