/** Columns out of SQLite with their types checked, and ids in the bytes they are stored as. */
import type { SQLOutputValue } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import type { B64, Rid } from "../../core/ids.ts";
import { parseRid, ridOf, srcOf, type TopicId } from "../../core/ids.ts";

/** By name, or by number where a statement returns arrays. */
export type Row = Record<string | number, SQLOutputValue>;

export const damaged = (column: string): LastroError =>
  new LastroError("INTERNAL", `column ${column} holds another type than was written; the store is damaged`);

/** A value of a row, and the name of its column for when it is damaged. */
export function asInteger(value: SQLOutputValue | undefined, column: string): number {
  if (typeof value !== "number") throw damaged(column);
  return value;
}
export function asText(value: SQLOutputValue | undefined, column: string): string {
  if (typeof value !== "string") throw damaged(column);
  return value;
}
export function asBytes(value: SQLOutputValue | undefined, column: string): Buffer {
  if (!(value instanceof Uint8Array)) throw damaged(column);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
export const asOptionalText = (value: SQLOutputValue | undefined, column: string): string | undefined =>
  value === null ? undefined : asText(value, column);

export const integer = (row: Row, column: string): number => asInteger(row[column], column);
export const optionalInteger = (row: Row, column: string): number | undefined =>
  row[column] === null ? undefined : integer(row, column);

export const text = (row: Row, column: string): string => asText(row[column], column);
export const optionalText = (row: Row, column: string): string | undefined =>
  asOptionalText(row[column], column);

export const blob = (row: Row, column: string): Uint8Array => asBytes(row[column], column);
export const toBytes = (id: B64): Uint8Array => Buffer.from(id, "base64url");
export const toB64 = (bytes: Uint8Array): B64 =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
export const b64 = (row: Row, column: string): B64 => toB64(blob(row, column));

const topicBytes = 16;
const positionBytes = 28;
const high = 2 ** 32;

/** Topic id ‖ u32 partition ‖ u64 offset; undefined when the text is no rid. */
export function positionOf(rid: Rid): Uint8Array | undefined {
  const source = parseRid(rid);
  if (source === undefined) return undefined;
  const position = Buffer.allocUnsafe(positionBytes);
  position.write(source.topicId, "base64url");
  position.writeUInt32BE(source.partition, topicBytes);
  position.writeUInt32BE(Math.floor(source.offset / high), topicBytes + 4);
  position.writeUInt32BE(source.offset % high, topicBytes + 8);
  return position;
}

export function ridAt(position: Uint8Array): Rid {
  const bytes = Buffer.from(position.buffer, position.byteOffset, position.byteLength);
  const topicId = bytes.toString("base64url", 0, topicBytes) as TopicId;
  const offset = bytes.readUInt32BE(topicBytes + 4) * high + bytes.readUInt32BE(topicBytes + 8);
  return ridOf(srcOf(topicId, bytes.readUInt32BE(topicBytes)), offset);
}
