/** Decodes the record batches of a fetch in kafkajs's stead: batches of any number of records, and no more records at once than there is room for. */
import { createRequire } from "node:module";
import { batchTooLarge, unpackedSoFar } from "./codecs.ts";
import type { RawMessage } from "./messages.ts";

/** A record without key and value takes about 300 bytes once it is delivered. A batch of events has fewer: the shortest event takes 224, and together they unpack to 128 MiB at most. */
export const batchRecordsMax = 600_000;
/** As with unpacked bytes: what goes beyond is left to the next fetch; one batch by itself may have more. */
export const fetchRecordsMax = 250_000;

type Decoder = {
  readonly buffer: Buffer;
  readonly offset: number;
  canReadBytes(length: number): boolean;
  readInt32(): number;
  readBytes(length: number): Buffer;
};
type Decode = (decoder: Decoder) => Promise<readonly RawMessage[]>;

const headerBytes = 61;
const recordCountAt = 57;
const lengthAt = 8;
const lengthEnd = 12;
const sizeBytes = 4;
const formatAt = 16;
const formatOfBatches = 2;

const load = createRequire(import.meta.url);
const makeDecoder: new (buffer: Buffer) => Decoder = load("kafkajs/src/protocol/decoder");
const decodeBatch: (decoder: Decoder) => Promise<{ readonly records: readonly RawMessage[] }> = load(
  "kafkajs/src/protocol/recordBatch/v0/decoder",
);
const decoderPath = load.resolve("kafkajs/src/protocol/requests/fetch/v4/decodeMessages");
const decodeOldFormats: Decode = load(decoderPath);

/**
 * kafkajs 2.2.4 spreads the records of a batch over the arguments of a call, a RangeError from about 125,000 on. All its decoders of fetches
 * share this function, and load it at their first fetch.
 */
export function mendMessageDecoder(): void {
  const module = load.cache[decoderPath];
  if (module === undefined) throw new Error("kafkajs has no decoder of messages where it is looked for");
  module.exports = decodeMessages;
}

export async function decodeMessages(decoder: Decoder): Promise<readonly RawMessage[]> {
  if (!holdsBatches(decoder)) return decodeOldFormats(decoder);
  const batches = new makeDecoder(decoder.readBytes(decoder.readInt32()));
  const records: RawMessage[] = [];
  while (hasWhole(batches) && hasRoom(batches)) {
    try {
      const batch = await decodeBatch(batches);
      for (const record of batch.records) records.push(record);
    } catch (error) {
      if (error instanceof Error && error.name === "KafkaJSPartialMessageError") break;
      throw error;
    }
  }
  return records;
}

function holdsBatches(decoder: Decoder): boolean {
  const { buffer, offset } = decoder;
  if (!decoder.canReadBytes(sizeBytes + headerBytes)) return false;
  const size = buffer.readInt32BE(offset);
  const isWhole = size >= headerBytes && decoder.canReadBytes(sizeBytes + size);
  return isWhole && buffer.readInt8(offset + sizeBytes + formatAt) === formatOfBatches;
}

/** A fetch may end within a batch. */
const hasWhole = (batches: Decoder): boolean =>
  batches.canReadBytes(headerBytes) &&
  batches.canReadBytes(lengthEnd + batches.buffer.readInt32BE(batches.offset + lengthAt));

/** The first batch of a fetch has room unless it is too large in itself. Takes the room. */
function hasRoom({ buffer, offset }: Decoder): boolean {
  const count = Math.max(0, buffer.readInt32BE(offset + recordCountAt));
  const sum = unpackedSoFar();
  const isFirst = sum.records === 0;
  if (isFirst && count > batchRecordsMax)
    throw batchTooLarge(`holds ${count} records, more than ${batchRecordsMax}`);
  if (!isFirst && sum.records + count > fetchRecordsMax) return false;
  sum.records += count;
  return true;
}
