/** Where bad data goes: a topic of its own with the identical key and value bytes and the original headers. Never used for infrastructure trouble. */
import type { SourceEvent } from "../core/event.ts";
import type { SourcePosition } from "../core/ids.ts";
import type { DeadLetterPosition, RejectReason } from "../core/outcome.ts";

export type DeadLetterStage = "parse" | "dedup" | "store" | "internal";

export type DeadLetter = {
  readonly source: SourcePosition & { readonly topic: string };
  readonly event: SourceEvent;
  readonly stage: DeadLetterStage;
  readonly reason: RejectReason | "CONFLICT";
  readonly pointer: string;
  readonly sentence: string;
  /** 32 random bytes under which accounting commits to the value bytes. */
  readonly salt: Uint8Array;
};

/** `untried`: it was not published. `unknown`: it may have been. */
export type ReplayVerdict = "replayed" | "parked" | "missing" | "untried" | "unknown";

/** What a topic of dead letters takes at least, and beyond the largest event: the headers that say what is wrong with it. */
export const deadLetterBytesMin = 256 * 1024;

/** Contract. `send` resolves when every letter is acknowledged by all in-sync replicas, with positions in the same order; it may be repeated after a crash (at least once, identified by its source). A letter of more than `deadLetterBytesMin` that the topic refuses for its size is sent without its value, or without value, key and original headers, and says so. Throws DEAD_LETTERS_UNAVAILABLE. */
export type DeadLetters = AsyncDisposable & {
  send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<readonly DeadLetterPosition[]>;
  /** Publishes the letters again on the audit topic, bytes and original headers unchanged, attempt + 1; above `attemptsMax`, or sent without their value, they are `parked`. One after the other, and none after the signal or trouble: then the rest is `untried`, and what was under way `unknown`. Throws only while no letter has its verdict. */
  replay(
    positions: readonly DeadLetterPosition[],
    attemptsMax: number,
    signal: AbortSignal,
  ): Promise<readonly ReplayVerdict[]>;
};
