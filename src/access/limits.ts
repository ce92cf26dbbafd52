/** How much each caller may ask for: so many calls a second, so many at once. Callers share nothing but the process. */
import { type Caller, countedAs } from "../core/caller.ts";
import { LastroError } from "../core/errors.ts";
import type { Clock } from "../ports/clock.ts";

export type CallerLimitOptions = {
  /** Calls a second in the long run. */
  readonly rateMax: number;
  /** Calls that may come at once after a rest. */
  readonly burstMax: number;
  readonly concurrentMax: number;
};

/** Contract. `enter` throws LIMIT_REACHED with the time after which to try again; what it gives is called when the call ends. */
export type CallerLimits = { enter(caller: Caller): () => void };

/** Callers remembered; those at rest are forgotten first, and have lost nothing. */
const callersMax = 10_000;
/** After which a call may well have ended. */
const concurrentRetryMs = 1_000;
const nothing = (): void => undefined;

type Use = { tokens: number; atMs: number; running: number };

/** `now` must not jump with the machine's clock. Who is anonymous is everybody, and whom to spare is not known: without access control nothing is counted. */
export function callerLimits(options: CallerLimitOptions, now: Clock): CallerLimits {
  const { rateMax, burstMax, concurrentMax } = options;
  const uses = new Map<string, Use>();

  function useOf(id: string, atMs: number): Use {
    const known = uses.get(id) ?? { tokens: burstMax, atMs, running: 0 };
    known.tokens = Math.min(burstMax, known.tokens + ((atMs - known.atMs) / 1_000) * rateMax);
    known.atMs = atMs;
    uses.delete(id);
    uses.set(id, known);
    for (const [oldest, { running }] of uses) {
      if (uses.size <= callersMax) break;
      if (running === 0) uses.delete(oldest);
    }
    return known;
  }

  return {
    enter(caller) {
      if (caller.kind === "anonymous") return nothing;
      const use = useOf(countedAs(caller), now());
      if (use.running >= concurrentMax)
        throw exhausted(`more than ${concurrentMax} calls of yours at once`, concurrentRetryMs);
      if (use.tokens < 1)
        throw exhausted(
          `more than ${rateMax} calls of yours a second`,
          Math.ceil(((1 - use.tokens) / rateMax) * 1_000),
        );
      use.tokens -= 1;
      use.running += 1;
      return () => {
        use.running -= 1;
      };
    },
  };
}

const exhausted = (why: string, retryAfterMs: number): LastroError =>
  new LastroError("LIMIT_REACHED", `${why}; try again in ${retryAfterMs} ms`, { retryAfterMs });
