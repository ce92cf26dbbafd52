/** A dead letter topic in memory, and the audit topic that letters are replayed to: what a broker takes and refuses, with the headers of the real adapter. */
import {
  attemptHeader,
  deadLetterHeaders,
  lacksValue,
  numberIn,
  originalHeaders,
  partitionHeader,
} from "../../src/adapters/platformatic-kafka/dead-letter-headers.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { EventHeader } from "../../src/core/event.ts";
import type { DeadLetterPosition } from "../../src/core/outcome.ts";
import type { DeadLetter, DeadLetters, ReplayVerdict } from "../../src/ports/dead-letters.ts";

export type Letter = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly EventHeader[];
};

export type LetterTopic = {
  readonly name: string;
  /** By offset, of its one partition. */
  readonly letters: Letter[];
  /** Group that the letters name. */
  readonly consumer: string;
  /** Takes a replayed event. */
  readonly publish: (partition: number, event: Letter) => void;
};

/** As topics are made: 4 MiB, and 256 KiB for headers. */
const bytesMax = (4 * 1_024 + 256) * 1_024;

const sizeOf = ({ key, value, headers }: Letter): number =>
  headers.reduce((sum, [name, bytes]) => sum + name.length + (bytes?.length ?? 0), 0) +
  (key?.length ?? 0) +
  (value?.length ?? 0);

export function memoryLetters({ name, letters, consumer, publish }: LetterTopic): DeadLetters {
  const put = (letter: DeadLetter): DeadLetterPosition => {
    const { key, value } = letter.event;
    const headers = (leftOut: "nothing" | "value" | "all") => deadLetterHeaders(letter, consumer, leftOut);
    const fitting = [
      { key, value, headers: headers("nothing") },
      { key, value: null, headers: headers("value") },
    ].find((one) => sizeOf(one) <= bytesMax);
    letters.push(fitting ?? { key: null, value: null, headers: headers("all") });
    return { topic: name, partition: 0, offset: letters.length - 1 };
  };
  const replay = (position: DeadLetterPosition, attemptsMax: number): ReplayVerdict => {
    const letter = position.topic === name ? letters[position.offset] : undefined;
    if (letter === undefined) return "missing";
    const attempt = numberIn(letter.headers, attemptHeader) ?? 0;
    if (attempt > attemptsMax || lacksValue(letter.headers)) return "parked";
    const again: EventHeader = [attemptHeader, Buffer.from(String(attempt))];
    publish(numberIn(letter.headers, partitionHeader) ?? 0, {
      ...letter,
      headers: [...originalHeaders(letter.headers), again],
    });
    return "replayed";
  };
  return {
    async send(sent, signal) {
      if (signal.aborted) throw new LastroError("DEAD_LETTERS_UNAVAILABLE", "the signal is over");
      return sent.map(put);
    },
    replay: async (positions, attemptsMax) => positions.map((position) => replay(position, attemptsMax)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
