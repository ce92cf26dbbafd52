/** Ids, bytes and times as BSON values: pure and without loss. Keys are binary, so that indexes stay small and order by position. */
import { Binary } from "mongodb";
import { LastroError } from "../../core/errors.ts";
import { parseRid, type Rid, ridOf, srcOf, type TopicId } from "../../core/ids.ts";

const topicIdBytes = 16;
const ridBytes = topicIdBytes + 4 + 8;
/** Times a BSON date can hold; beyond it nothing was ever recorded. */
const dateMsMax = 8_640_000_000_000_000;

/** Base64url as bytes; text that is not base64url in its one canonical form stays text. */
export type Key = Binary | string;

export function keyOf(text: string): Key {
  const bytes = Buffer.from(text, "base64url");
  return bytes.length > 0 && bytes.toString("base64url") === text ? new Binary(bytes) : text;
}

export const textOf = <Id extends string>(key: Key): Id =>
  (typeof key === "string" ? key : Buffer.from(key.value()).toString("base64url")) as Id;

/** topic id ‖ u32 partition ‖ u64 offset: inserts append per partition, and ties order by position. */
export function ridKey(rid: Rid): Binary {
  const position = parseRid(rid);
  if (position === undefined) throw new LastroError("INTERNAL", "a record id has no valid form");
  const bytes = Buffer.alloc(ridBytes);
  Buffer.from(position.topicId, "base64url").copy(bytes);
  bytes.writeUInt32BE(position.partition, topicIdBytes);
  bytes.writeBigUInt64BE(BigInt(position.offset), topicIdBytes + 4);
  return new Binary(bytes);
}

export function ridOfKey(key: Binary): Rid {
  const bytes = Buffer.from(key.value());
  const topicId = bytes.toString("base64url", 0, topicIdBytes) as TopicId;
  return ridOf(
    srcOf(topicId, bytes.readUInt32BE(topicIdBytes)),
    Number(bytes.readBigUInt64BE(topicIdBytes + 4)),
  );
}

export const bytesOf = (binary: Binary): Uint8Array => binary.value();

export const dateOf = (ms: number): Date => new Date(Math.max(-dateMsMax, Math.min(dateMsMax, ms)));
