/** What a fetch holds is decoded up to a number of records; what no batch of events has is refused before it is. */
import { createRequire } from "node:module";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { countUnpacked, nothingUnpacked, registerCodecs } from "../../../src/adapters/kafkajs/codecs.ts";
import {
  batchRecordsMax,
  decodeMessages,
  fetchRecordsMax,
} from "../../../src/adapters/kafkajs/record-batches.ts";

const Decoder = createRequire(import.meta.url)("kafkajs/src/protocol/decoder");
const zstd = 4;
const noBytes = 1;

/** As in the protocol: zigzag, seven bits a byte. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** A packed batch of records that have neither key nor value. */
function batchOf(firstOffset: number, count: number, attributes = zstd): Buffer {
  const records: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const record = [0, 0, ...varint(i), noBytes, noBytes, 0];
    records.push(Buffer.from([...varint(record.length), ...record]));
  }
  const body = Buffer.concat(records);
  const packed = attributes === zstd ? zstdCompressSync(body) : body;
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(firstOffset), 0);
  head.writeInt32BE(head.length - 12 + packed.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(attributes, 21);
  head.writeInt32BE(Math.max(count - 1, 0), 23);
  head.writeBigInt64BE(-1n, 43);
  head.writeInt32BE(count, 57);
  return Buffer.concat([head, packed]);
}

/** What a broker gives for a partition. */
const sized = (batches: readonly Buffer[]): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(Buffer.concat(batches).length);
  return Buffer.concat([size, ...batches]);
};

/** The offsets of what is decoded for each partition of one fetch. */
async function fetched(...partitions: readonly (readonly Buffer[])[]) {
  registerCodecs();
  const decoder = new Decoder(Buffer.concat(partitions.map(sized)));
  const sum = nothingUnpacked();
  const offsets: number[][] = [];
  await countUnpacked(sum, async () => {
    for (const _ of partitions)
      offsets.push((await decodeMessages(decoder)).map(({ offset }) => Number(offset)));
  });
  return { offsets, records: sum.records };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

test("batches of any number of records are decoded whole, packed or not", async () => {
  const { offsets } = await fetched([batchOf(5, 130_000, 0), batchOf(130_005, 3)], [], [batchOf(0, 2)]);
  expect(offsets).toEqual([range(5, 130_003), [], [0, 1]]);
});

test("a batch that is cut off by the end of the fetch is left to the next, and counts for nothing", async () => {
  const cut = batchOf(3, 100).subarray(0, -1);
  expect(await fetched([batchOf(0, 3), cut], [cut.subarray(0, 60)])).toEqual({
    offsets: [[0, 1, 2], []],
    records: 3,
  });
});

test("what goes beyond the records of a fetch is left to the next, whichever partition it is of", async () => {
  const most = batchOf(0, fetchRecordsMax - 2);
  const { offsets } = await fetched(
    [most, batchOf(fetchRecordsMax - 2, 3)],
    [batchOf(0, 3)],
    [batchOf(0, 2)],
  );
  expect(offsets.map((one) => one.length)).toEqual([fetchRecordsMax - 2, 0, 2]);
});

test("one batch by itself may have more records than a fetch, but no more than any batch of events", async () => {
  const { offsets } = await fetched([batchOf(0, batchRecordsMax), batchOf(batchRecordsMax, 1)]);
  expect(offsets.map((one) => one.length)).toEqual([batchRecordsMax]);
  // It has no such records, so it is refused before they are decoded.
  const beyond = batchOf(0, 1);
  beyond.writeInt32BE(batchRecordsMax + 1, 57);
  await expect(fetched([beyond])).rejects.toMatchObject({
    code: "BATCH_TOO_LARGE",
    message: `holds ${batchRecordsMax + 1} records, more than ${batchRecordsMax}`,
  });
  expect((await fetched([batchOf(0, 1), beyond])).offsets).toEqual([[0]]);
});
