/** Reads over REST all through a fault, and notes how long each took and how far behind Kafka it said it was. */
import { setTimeout as sleep } from "node:timers/promises";
import type { LastroProcess } from "./lastro.ts";
import { ask } from "./rest-client.ts";

const betweenMs = 50;

export type Reading = AsyncDisposable & {
  /** Of the latest answer, in seconds; undefined where it did not say. */
  lag(): number | undefined;
  /** Ends it: a line of figures. Rejects where a read failed or did not say how far behind it was. */
  end(): Promise<string>;
};

/** Begins once an answer says how far behind it is. */
export async function keepReading(lastro: LastroProcess): Promise<Reading> {
  const tookMs: number[] = [];
  let lag: number | undefined;
  let isOver = false;
  const read = async (): Promise<void> => {
    const startMs = performance.now();
    const { status, headers, text } = await ask(`${lastro.restUrl}/audit-logs?limit=10`);
    if (status !== 200) throw new Error(`a read failed during the fault: ${status} ${text}`);
    tookMs.push(performance.now() - startMs);
    const said = headers.get("x-audit-lag");
    lag = said === null ? undefined : Number(said);
    await sleep(betweenMs);
  };
  while (lag === undefined) await read();
  const reads = async (): Promise<void> => {
    while (!isOver) {
      await read();
      if (lag === undefined) throw new Error("an answer did not say how far behind Kafka it was");
    }
  };
  const reading = reads();
  reading.catch(() => undefined);
  return {
    lag: () => lag,
    async end() {
      isOver = true;
      await reading;
      tookMs.sort((one, other) => one - other);
      return `${tookMs.length} reads, p99 ${Math.round(tookMs[Math.floor(tookMs.length * 0.99)] ?? 0)} ms`;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await reading.catch(() => undefined);
    },
  };
}
