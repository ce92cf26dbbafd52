/** Kafka's codecs for kafkajs, which has gzip only and that unbounded. Decompression is bounded, per batch and per fetch (lz4, whose library has no limit, once it is done); bytes that do not decompress throw, which stops their partition. */
import { AsyncLocalStorage } from "node:async_hooks";
import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import snappy from "snappy";
import { LastroError } from "../../core/errors.ts";

/** A batch that unpacks to more than this is corrupt or hostile: producers are held to 4 MiB packed. */
export const batchUnpackedBytesMax = 128 * 1024 * 1024;
/** kafkajs holds a whole fetch unpacked. What goes beyond this is left to the next fetch; one batch by itself may be larger. */
export const fetchUnpackedBytesMax = 64 * 1024 * 1024;

export type Unpacked = { bytes: number; records: number };
export const nothingUnpacked = (): Unpacked => ({ bytes: 0, records: 0 });
const fetching = new AsyncLocalStorage<Unpacked>();
/** Counts in `unpacked` what is unpacked in the course of `fetch`. */
export const countUnpacked = <T>(unpacked: Unpacked, fetch: () => Promise<T>): Promise<T> =>
  fetching.run(unpacked, fetch);
export const unpackedSoFar = (): Unpacked => fetching.getStore() ?? nothingUnpacked();

export const batchTooLarge = (what: string): LastroError => new LastroError("BATCH_TOO_LARGE", what);
const unpacksToTooMuch = (): LastroError =>
  batchTooLarge(`unpacks to more than ${batchUnpackedBytesMax} bytes`);

const packGzip = promisify(gzip);
const unpackGzip = promisify(gunzip);
const packZstd = promisify(zstdCompress);
const unpackZstd = promisify(zstdDecompress);

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = xerialMagic.length + 8;

/** Java producers wrap snappy blocks in xerial's framing (magic, two versions, then length-prefixed blocks); librdkafka and others send one raw block. */
export async function unpackSnappy(packed: Buffer, bytesMax = batchUnpackedBytesMax): Promise<Buffer> {
  if (!packed.subarray(0, xerialMagic.length).equals(xerialMagic)) return unpackSnappyBlock(packed, bytesMax);
  const blocks: Buffer[] = [];
  let total = 0;
  for (let at = xerialHeaderBytes; at < packed.length; ) {
    const length = packed.readUInt32BE(at);
    const end = at + 4 + length;
    if (end > packed.length) throw new Error("a snappy block is cut off");
    const block = await unpackSnappyBlock(packed.subarray(at + 4, end), bytesMax - total);
    total += block.length;
    blocks.push(block);
    at = end;
  }
  return Buffer.concat(blocks);
}

/** A raw block begins with its unpacked length as a varint: look before memory is taken. */
async function unpackSnappyBlock(block: Buffer, bytesMax: number): Promise<Buffer> {
  let length = 0;
  for (let at = 0, scale = 1; at < 5; at += 1, scale *= 128) {
    const byte = block.readUInt8(at);
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > bytesMax) throw unpacksToTooMuch();
  return Buffer.from(await snappy.uncompress(block, { asBuffer: true }));
}

async function unpackLz4(packed: Buffer, bytesMax: number): Promise<Buffer> {
  const unpacked = await decompressFrame(packed);
  if (unpacked.length > bytesMax) throw unpacksToTooMuch();
  return unpacked;
}

/** kafkajs takes this error for the cut-off end of a fetch: it delivers the batches before and fetches from here again. */
const leaveToNextFetch = (): Error =>
  Object.assign(new Error("the fetch unpacks to more than is held at once"), {
    name: "KafkaJSPartialMessageError",
  });

const isBeyondBound = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";

/** A later batch that is corrupt rather than large is left, too: at the start of its own fetch it shows what it is. */
const counted =
  (unpack: (packed: Buffer, bytesMax: number) => Promise<Buffer>) =>
  async (packed: Buffer): Promise<Buffer> => {
    const sum = unpackedSoFar();
    const isFirst = sum.bytes === 0;
    const bytesMax = isFirst ? batchUnpackedBytesMax : fetchUnpackedBytesMax - sum.bytes;
    if (bytesMax <= 0) throw leaveToNextFetch();
    try {
      const unpacked = await unpack(packed, bytesMax);
      sum.bytes += unpacked.length;
      return unpacked;
    } catch (error) {
      if (!isFirst) throw leaveToNextFetch();
      throw isBeyondBound(error) ? unpacksToTooMuch() : error;
    }
  };

type Encoder = { readonly buffer: Buffer };

export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: (encoder: Encoder) => packGzip(encoder.buffer),
    decompress: counted((packed, maxOutputLength) => unpackGzip(packed, { maxOutputLength })),
  });
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: (encoder: Encoder) => snappy.compress(encoder.buffer),
    decompress: counted(unpackSnappy),
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: (encoder: Encoder) => compressFrame(encoder.buffer),
    decompress: counted(unpackLz4),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: Encoder) => packZstd(encoder.buffer),
    decompress: counted((packed, maxOutputLength) => unpackZstd(packed, { maxOutputLength })),
  });
}
