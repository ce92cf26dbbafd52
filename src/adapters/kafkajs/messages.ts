/** kafkajs's messages, and what they are as source events. Keeps bytes, nulls and repeated headers; refuses offsets that a number cannot hold. */
import type { IHeaders, KafkaMessage } from "kafkajs";
import type { EventHeader, SourceEvent } from "../../core/event.ts";

type RecordBatchContext = {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly inTransaction: boolean;
};
/** What kafkajs decodes; its types leave these members out. */
export type RawMessage = KafkaMessage & {
  readonly isControlRecord: boolean;
  /** Absent in messages of the format before Kafka 0.11, which knew no transactions. */
  readonly batchContext?: RecordBatchContext;
};

export function toSourceEvent(message: KafkaMessage): SourceEvent {
  const timestampMs = Number(message.timestamp);
  return {
    offset: toOffset(message.offset),
    key: message.key,
    value: message.value,
    headers: message.headers === undefined ? [] : toHeaders(message.headers),
    timestampMs: Number.isSafeInteger(timestampMs) ? timestampMs : -1,
  };
}

export function toOffset(text: string): number {
  const offset = Number(text);
  if (!Number.isSafeInteger(offset)) throw new RangeError(`offset ${text} is beyond 2^53 − 1`);
  return offset;
}

/**
 * kafkajs folds headers into an object: values of one key keep their order, the order among keys is lost where keys repeat. For a key like
 * `constructor` it takes what Object.prototype holds for an earlier value; such impostors are neither bytes nor null.
 */
function toHeaders(folded: IHeaders): EventHeader[] {
  return Object.entries(folded).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one === null || Buffer.isBuffer(one))
      .map((one): EventHeader => [key, one]),
  );
}
