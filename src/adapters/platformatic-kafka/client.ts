/** What every @platformatic/kafka client here is opened with: short timeouts, few retries, no topic made by accident. */
import { MultipleErrors } from "@platformatic/kafka";

const connectTimeoutMs = 2_000;
const requestTimeoutMs = 5_000;
const retriesMax = 3;
const retryDelayMs = 200;

export type ClientOptions = { readonly brokers: readonly string[]; readonly clientId: string };

export const clientOptions = ({ brokers, clientId }: ClientOptions) => ({
  clientId,
  bootstrapBrokers: [...brokers],
  connectTimeout: connectTimeoutMs,
  timeout: requestTimeoutMs,
  retries: retriesMax,
  retryDelay: retryDelayMs,
  autocreateTopics: false,
});

/** The client's calls take no signal: they end by their own timeouts, we just stop waiting. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.reject(signal.reason);
  }
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

const tooLargeIds = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"];
/** The topic can never hold what was sent. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof MultipleErrors && tooLargeIds.some((id) => error.findBy("apiId", id) !== null);
