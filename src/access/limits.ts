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

/** Callers remembered. Who came last longest ago and has no running call is forgotten first, and gains nothing by it. */
const callersMax = 10_000;
/** After which a call may well have ended. */
const concurrentRetryMs = 1_000;
const nothing = (): void => undefined;

type Tokens = { tokens: number; atMs: number };
type Use = Tokens & { running: number };

/** `now` must not jump with the machine's clock. Who is anonymous is everybody, and whom to spare is not known: without access control nothing is counted. */
export function callerLimits(options: CallerLimitOptions, now: Clock): CallerLimits {
  const { rateMax, burstMax, concurrentMax } = options;
  const uses = new Map<string, Use>();
  /** What the one of the forgotten that had least has by now. Who is not known may be that one. */
  let forgotten: Tokens = { tokens: burstMax, atMs: 0 };
  const tokensAt = ({ tokens, atMs }: Tokens, nowMs: number): number =>
    Math.min(burstMax, tokens + ((nowMs - atMs) / 1_000) * rateMax);

  function useOf(id: string, atMs: number): Use {
    const use = uses.get(id) ?? { ...forgotten, running: 0 };
    use.tokens = tokensAt(use, atMs);
    use.atMs = atMs;
    uses.delete(id);
    uses.set(id, use);
    for (const [oldest, one] of uses) {
      if (uses.size <= callersMax) break;
      if (one === use || one.running > 0) continue;
      uses.delete(oldest);
      forgotten = { tokens: Math.min(tokensAt(one, atMs), tokensAt(forgotten, atMs)), atMs };
    }
    return use;
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
