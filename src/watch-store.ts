/** The part of the composition root that looks again and again: whether the store answers, how far it lies behind Kafka, how many dead letters there are. */
import type { Consumer } from "./ingest/consume.ts";
import type { StoreLag } from "./ingest/store-lag.ts";
import { withDeadline } from "./lib/signals.ts";
import { repeat } from "./lib/upkeep.ts";
import type { Store } from "./ports/store.ts";
import type { TopicReader } from "./ports/topic-reader.ts";

const lookMs = 2_000;
const countMs = 10_000;
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

/** Returns how many letters the topic held when it was looked at last; undefined while Kafka does not tell. */
export function watchDeadLetters(
  reader: TopicReader,
  topic: string,
  signal: AbortSignal,
): () => number | undefined {
  let letters: number | undefined;
  const count = async (): Promise<void> => {
    const { partitions } = await reader.read(topic, withDeadline(signal, lookTimeoutMs));
    letters = partitions.reduce((sum, { logStart, logEnd }) => sum + logEnd - logStart, 0);
  };
  void repeat(countMs, signal, count, () => {
    letters = undefined;
  });
  return () => letters;
}
