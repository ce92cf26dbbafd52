/** Blocks of counts in MongoDB: a document each. What is too long for one lies in pieces beside it, put before it and named after what they hold, so that no block is ever made of two. */
import { Binary } from "mongodb";
import { sha256 } from "../../lib/sha256.ts";
import { type BlockId, blocksBytesMax, type SummaryBlock } from "../../ports/search-index.ts";
import { bytesOf } from "./bson-values.ts";
import type { BlockBytes, BlockDocument, Collections, ReadOptions } from "./collections.ts";
import { insertAbsent, insertOnce } from "./follow-ups.ts";

type Kind = "cells" | "actors";
type Stores = Pick<Collections, "blocks" | "pieces">;

/** A document holds 16 MiB: a piece, or both kinds of a block. */
const pieceBytesMax = 8 * 1024 * 1024;
const ownBytesMax = 4 * 1024 * 1024;
const nothing = new Uint8Array();

const idOf = ({ level, n }: BlockId): string => `${level}/${n}`;
const piecesOf = (block: BlockId, kind: Kind): string => `${idOf(block)}/${kind}/`;

async function putBytes(
  { pieces }: Stores,
  block: BlockId,
  kind: Kind,
  bytes: Uint8Array,
): Promise<BlockBytes> {
  if (bytes.length <= ownBytesMax) return new Binary(bytes);
  const hash = Buffer.from(sha256(bytes)).toString("hex");
  const count = Math.ceil(bytes.length / pieceBytesMax);
  for (let at = 0; at < count; at++) {
    const piece = bytes.subarray(at * pieceBytesMax, (at + 1) * pieceBytesMax);
    await insertOnce(pieces, { _id: `${piecesOf(block, kind)}${hash}/${at}`, bytes: new Binary(piece) });
  }
  return { hash, pieces: count };
}

export async function putBlocks(stores: Stores, added: readonly SummaryBlock[]): Promise<void> {
  const documents: BlockDocument[] = [];
  for (const block of added)
    documents.push({
      _id: idOf(block),
      level: block.level,
      n: block.n,
      cells: await putBytes(stores, block, "cells", block.cells),
      actors: await putBytes(stores, block, "actors", block.actors),
    });
  await insertAbsent(stores.blocks, documents);
}

/** Ends behind the block that brings it to `blocksBytesMax`. */
export async function readBlocks(
  stores: Stores,
  level: number,
  [from, to]: readonly [number, number],
  kind: Kind,
  options: ReadOptions,
): Promise<readonly SummaryBlock[]> {
  const range = { level, n: { $gte: from, $lt: to } };
  const projection = { [kind === "cells" ? "actors" : "cells"]: 0 };
  const found: SummaryBlock[] = [];
  let length = 0;
  for await (const block of stores.blocks.find(range, { ...options, sort: { n: 1 }, projection })) {
    const bytes = await wholeOf(stores, block, kind, options);
    if (bytes === undefined) continue;
    found.push({ level, n: block.n, cells: nothing, actors: nothing, [kind]: bytes });
    length += bytes.length;
    if (length >= blocksBytesMax) break;
  }
  return found;
}

/** Undefined while they are being taken away. */
async function wholeOf(
  { pieces }: Stores,
  block: BlockDocument,
  kind: Kind,
  options: ReadOptions,
): Promise<Uint8Array | undefined> {
  const own = block[kind];
  if (own instanceof Binary) return bytesOf(own);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < own.pieces; at++) {
    const piece = await pieces.findOne({ _id: `${piecesOf(block, kind)}${own.hash}/${at}` }, options);
    if (piece === null) return undefined;
    parts.push(bytesOf(piece.bytes));
  }
  return Buffer.concat(parts);
}
