/** How long to wait before trying again, and the wait itself. Randomness is passed in; the caller decides what is worth a retry. */
import { setTimeout as delay } from "node:timers/promises";

/** Resolves after `ms`; rejects with the signal's reason once it is aborted. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

const randomBytes = 4;
const doublingsMax = 40;

/**
 * Full jitter: anywhere between `minMs` and min(`maxMs`, `minMs` · 2^attempt), so that those who failed together do not return together.
 * Attempts count from 1; `random` gives that many random bytes.
 */
export function backoffMs(
  attempt: number,
  minMs: number,
  maxMs: number,
  random: (bytes: number) => Uint8Array,
): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempt, doublingsMax));
  const share = random(randomBytes).reduce((sum, byte) => sum * 256 + byte, 0) / 256 ** randomBytes;
  return minMs + Math.floor(share * (ceiling - minMs));
}
