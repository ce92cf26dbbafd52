/** Takes out of a fetch what producers aborted. kafkajs's own filter lets some of it through: it wants the list in the order of the log, steps into one transaction per message, and takes keys of events for markers. */
import type { RawMessage } from "./messages.ts";

/** A broker lists them in the order in which they were aborted. */
export type AbortedTransaction = { readonly producerId: string; readonly firstOffset: string };

/** A transaction is aborted from its first offset to the marker of its producer. */
export function withoutAborted(
  messages: readonly RawMessage[],
  aborted: readonly AbortedTransaction[],
): readonly RawMessage[] {
  if (aborted.length === 0) return messages;
  const ahead = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
    .sort((a, b) => a.first - b.first);
  const aborting = new Set<string>();
  let begun = 0;
  return messages.filter((message) => {
    for (let next = ahead[begun]; next && next.first <= Number(message.offset); next = ahead[begun]) {
      aborting.add(next.producerId);
      begun += 1;
    }
    const { producerId, inTransaction } = message.batchContext ?? noTransaction;
    if (isAbortMarker(message)) aborting.delete(producerId);
    return message.isControlRecord || !inTransaction || !aborting.has(producerId);
  });
}

const noTransaction = { producerId: "-1", inTransaction: false };
const markerKeyBytes = 4;
const abort = 0;

/** The key of a marker is a version and a type. */
const isAbortMarker = ({ isControlRecord, key }: RawMessage): boolean =>
  isControlRecord && key !== null && key.length >= markerKeyBytes && key.readInt16BE(2) === abort;
