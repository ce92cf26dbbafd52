/** Kafka's codecs for kafkajs, which has gzip only and that unbounded. Decompression is bounded (lz4, whose library has no limit, by its ratio of 255); bytes that do not decompress throw, which stops their partition. */
import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import snappy from "snappy";

/** A batch that unpacks to more than this is corrupt or hostile: producers are held to 4 MiB packed. */
export const batchUnpackedBytesMax = 128 * 1024 * 1024;

const packGzip = promisify(gzip);
const unpackGzip = promisify(gunzip);
const packZstd = promisify(zstdCompress);
const unpackZstd = promisify(zstdDecompress);

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = xerialMagic.length + 8;

/** Java producers wrap snappy blocks in xerial's framing (magic, two versions, then length-prefixed blocks); librdkafka and others send one raw block. */
export async function unpackSnappy(packed: Buffer): Promise<Buffer> {
  if (!packed.subarray(0, xerialMagic.length).equals(xerialMagic)) return unpackSnappyBlock(packed);
  const blocks: Buffer[] = [];
  let total = 0;
  for (let at = xerialHeaderBytes; at < packed.length; ) {
    const length = packed.readUInt32BE(at);
    const end = at + 4 + length;
    if (end > packed.length) throw new Error("a snappy block is cut off");
    const block = await unpackSnappyBlock(packed.subarray(at + 4, end));
    total += block.length;
    if (total > batchUnpackedBytesMax) throw new Error("a snappy batch unpacks to too much");
    blocks.push(block);
    at = end;
  }
  return Buffer.concat(blocks);
}

/** A raw block begins with its unpacked length as a varint: look before memory is taken. */
async function unpackSnappyBlock(block: Buffer): Promise<Buffer> {
  let length = 0;
  for (let at = 0, scale = 1; at < 5; at += 1, scale *= 128) {
    const byte = block.readUInt8(at);
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > batchUnpackedBytesMax) throw new Error("a snappy block unpacks to too much");
  return Buffer.from(await snappy.uncompress(block, { asBuffer: true }));
}

type Encoder = { readonly buffer: Buffer };

export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: (encoder: Encoder) => packGzip(encoder.buffer),
    decompress: (packed: Buffer) => unpackGzip(packed, { maxOutputLength: batchUnpackedBytesMax }),
  });
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: (encoder: Encoder) => snappy.compress(encoder.buffer),
    decompress: unpackSnappy,
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder: Encoder) => compressFrame(encoder.buffer),
    decompress: (packed: Buffer) => decompressFrame(packed),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: Encoder) => packZstd(encoder.buffer),
    decompress: (packed: Buffer) => unpackZstd(packed, { maxOutputLength: batchUnpackedBytesMax }),
  });
}
