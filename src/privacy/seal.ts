/** Seals an event: the exact bytes received, the actor's identifiers in a part of their own. Fails only by a bug of ours. */
import { hash } from "node:crypto";
import { LastroError } from "../core/errors.ts";
import type { CutRange, SourceEvent } from "../core/event.ts";
import type { Kid, Rid } from "../core/ids.ts";
import type { EntryPart } from "../core/leaf.ts";
import type { Randomness } from "../ports/clock.ts";
import type { KeyClass } from "../ports/key-store.ts";
import type { DataKey } from "./data-keys.ts";
import {
  classByte,
  commitment,
  lengthBytes,
  magic,
  partAad,
  partHeadBytes,
  saltBytes,
  sealedAt,
} from "./sealed-format.ts";
import { bufferOf, encryptInPlace, nonceBytes, tagBytes } from "./xchacha.ts";

export type SealInput = {
  readonly event: Pick<SourceEvent, "value">;
  readonly rid: Rid;
  /** `sealedMetaText` of the event. */
  readonly meta: string;
  /** What is sealed in the actor's part, as positions in the value. */
  readonly cuts: readonly CutRange[];
  readonly owner: { readonly class: "s" | "p"; readonly key: DataKey };
  /** Needed when there are cuts. */
  readonly actor: DataKey | undefined;
};

export type SealedBody = {
  readonly body: Uint8Array;
  readonly parts: readonly EntryPart[];
  readonly kids: readonly Kid[];
};

type Range = { readonly start: number; readonly end: number };
type Part = {
  readonly class: KeyClass;
  readonly key: DataKey;
  readonly meta: string;
  /** What of the value lies in it. */
  readonly ranges: readonly Range[];
};

export function sealEvent(input: SealInput, random: Randomness): SealedBody {
  const value = input.event.value;
  if (value === null) throw new LastroError("INTERNAL", "an event without a value reached sealing");
  const parts = partsOf(input, value);
  const sizes = parts.map((part) => sealedAt + plaintextBytes(part) + tagBytes);
  const body = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + size, magic.length + 1));
  body.write(magic, "latin1");
  body[magic.length] = parts.length;
  let end = magic.length + 1;
  const entryParts = parts.map((part, number) => {
    const start = end;
    end += sizes[number] ?? 0;
    return sealPart(part, number, input.rid, bufferOf(value), random, body.subarray(start, end));
  });
  return { body, parts: entryParts, kids: entryParts.map((part) => part.k) };
}

/** Writes a part into its place in the body: its plaintext first, which is then encrypted where it lies. */
function sealPart(
  part: Part,
  number: number,
  rid: Rid,
  value: Buffer,
  random: Randomness,
  bytes: Buffer,
): EntryPart {
  const salt = random(saltBytes);
  const nonce = random(nonceBytes);
  const sealed = bytes.subarray(sealedAt);
  const plaintext = sealed.subarray(0, -tagBytes);
  bytes[0] = classByte[part.class];
  bytes.write(part.key.kid, 1, "base64url");
  bytes.writeUInt32BE(plaintext.length, partHeadBytes - lengthBytes);
  bytes.set(nonce, partHeadBytes);
  writePlaintext(part, salt, value, plaintext);
  const m = commitment(plaintext);
  encryptInPlace(part.key.key, nonce, partAad(number, bytes, rid), sealed);
  return { c: part.class, k: part.key.kid, h: hash("sha256", bytes, "base64url"), m };
}

function partsOf(input: SealInput, value: Uint8Array): readonly Part[] {
  const { cuts, meta, actor } = input;
  const owner = { ...input.owner, meta, ranges: between(cuts, value.length) };
  if (cuts.length === 0) return [owner];
  if (actor === undefined) throw new LastroError("INTERNAL", "cuts without an actor's key");
  return [owner, { class: "a", key: actor, meta: "{}", ranges: cuts }];
}

/** What lies between the cuts; refuses cuts that overlap, go back or leave the value. */
function between(cuts: readonly CutRange[], length: number): readonly Range[] {
  const ranges: Range[] = [];
  let start = 0;
  for (const cut of cuts) {
    if (cut.start < start || cut.end <= cut.start || cut.end > length) {
      throw new LastroError("INTERNAL", "cut ranges are not ascending and inside the value");
    }
    ranges.push({ start, end: cut.start });
    start = cut.end;
  }
  ranges.push({ start, end: length });
  return ranges;
}

function plaintextBytes({ meta, ranges }: Part): number {
  let size = saltBytes + lengthBytes + Buffer.byteLength(meta);
  for (const { start, end } of ranges) size += end - start;
  return size;
}

function writePlaintext(part: Part, salt: Uint8Array, value: Buffer, plaintext: Buffer): void {
  plaintext.set(salt);
  const metaAt = saltBytes + lengthBytes;
  const metaBytes = plaintext.write(part.meta, metaAt);
  plaintext.writeUInt32BE(metaBytes, saltBytes);
  let at = metaAt + metaBytes;
  for (const { start, end } of part.ranges) at += value.copy(plaintext, at, start, end);
}
