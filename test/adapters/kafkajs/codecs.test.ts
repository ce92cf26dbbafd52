/** Codecs read what other implementations wrote, and refuse what would take too much memory. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import kafkajs from "kafkajs";
import snappy from "snappy";
import {
  batchUnpackedBytesMax,
  countUnpacked,
  fetchUnpackedBytesMax,
  nothingUnpacked,
  registerCodecs,
  unpackSnappy,
} from "../../../src/adapters/kafkajs/codecs.ts";

const block = (bytes: Buffer): Buffer => {
  const packed = snappy.compressSync(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(packed.length);
  return Buffer.concat([length, packed]);
};
const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);

test("snappy is read raw and in xerial's framing, in one block or several", async () => {
  const [one, two] = [Buffer.from("first "), Buffer.from("second")];
  expect(await unpackSnappy(snappy.compressSync(one))).toEqual(one);
  expect(await unpackSnappy(Buffer.concat([xerialHeader, block(one), block(two)]))).toEqual(
    Buffer.concat([one, two]),
  );
});

test("a snappy block that is cut off, or says it unpacks to too much, throws", async () => {
  const cut = Buffer.concat([xerialHeader, block(Buffer.from("first"))]).subarray(0, -1);
  await expect(unpackSnappy(cut)).rejects.toThrow("cut off");
  const huge = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
  await expect(unpackSnappy(huge)).rejects.toMatchObject({ code: "BATCH_TOO_LARGE" });
});

test("a gzip batch that unpacks to more than the bound throws", async () => {
  registerCodecs();
  const codec = kafkajs.CompressionCodecs[kafkajs.CompressionTypes.GZIP]();
  const bomb = gzipSync(Buffer.alloc(batchUnpackedBytesMax + 1));
  await expect(codec.decompress(bomb)).rejects.toMatchObject({ code: "BATCH_TOO_LARGE" });
});

test("what a fetch unpacks is counted over all codecs; what goes beyond the bound is left to the next fetch", async () => {
  registerCodecs();
  const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
  const codecOf = (type: number) => kafkajs.CompressionCodecs[type as 1]();
  const bytes = Buffer.alloc(fetchUnpackedBytesMax / 4 + 1);
  const packed = new Map<number, Buffer>();
  for (const type of [GZIP, Snappy, LZ4, ZSTD])
    packed.set(type, await codecOf(type).compress({ buffer: bytes }));
  for (const last of packed.keys()) {
    const unpacked = nothingUnpacked();
    const others = [...packed.keys()].filter((type) => type !== last);
    await countUnpacked(unpacked, async () => {
      for (const type of others) await codecOf(type).decompress(packed.get(type));
      await expect(codecOf(last).decompress(packed.get(last))).rejects.toMatchObject({
        name: "KafkaJSPartialMessageError",
      });
    });
    expect(unpacked.bytes).toBe(bytes.length * 3);
  }
});

test("one batch by itself may unpack to more than a fetch", async () => {
  registerCodecs();
  const codec = kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD]();
  const large = zstdCompressSync(Buffer.alloc(fetchUnpackedBytesMax + 1));
  const unpacked: Buffer = await countUnpacked(nothingUnpacked(), () => codec.decompress(large));
  expect(unpacked.length).toBe(fetchUnpackedBytesMax + 1);
});
