/** Opens a sealed body with the keys it is given, and recomputes what the leaf entry says of each part. */
import { hash } from "node:crypto";
import { LastroError } from "../core/errors.ts";
import type { B64, Kid, Rid } from "../core/ids.ts";
import { jsonIn } from "../core/json.ts";
import type { EntryPart } from "../core/leaf.ts";
import type { KeyClass } from "../ports/key-store.ts";
import {
  classOf,
  commitment,
  kidBytes,
  lengthBytes,
  magic,
  partAad,
  partHeadBytes,
  partsMax,
  saltBytes,
  sealedAt,
} from "./sealed-format.ts";
import { isSealedMeta, type SealedMeta } from "./sealed-meta.ts";
import { decrypt, tagBytes } from "./xchacha.ts";

/** `destroyed`: the key is gone for ever; undefined: it cannot be had, and may come back. */
export type KeyOf = (keyClass: KeyClass, kid: Kid) => Uint8Array | "destroyed" | undefined;

export type OpenedPart = {
  readonly c: KeyClass;
  readonly k: Kid;
  readonly h: B64;
  /** Only an open part can be held against its commitment. */
  readonly m: B64 | undefined;
  readonly state: "open" | "erased" | "withheld";
};

/** A cut that could not be opened: where it lay in the original, and where `null` stands for it in the value shown. */
export type HiddenRange = {
  readonly part: number;
  readonly start: number;
  readonly length: number;
  readonly shownAt: number;
  readonly why: "erased" | "withheld";
};

export type OpenedBody = {
  readonly parts: readonly OpenedPart[];
  /** Undefined when part 0 is closed. `value` is to the byte what was received unless something is `hidden`. */
  readonly content:
    | { readonly value: Uint8Array; readonly meta: SealedMeta; readonly hidden: readonly HiddenRange[] }
    | undefined;
};

type Raw = {
  readonly class: KeyClass;
  readonly kid: Kid;
  readonly bytes: Buffer;
};
type Opened = { readonly part: OpenedPart; readonly meta: string; readonly data: Uint8Array | undefined };

export function openBody(body: Uint8Array, rid: Rid, keyOf: KeyOf): OpenedBody {
  const opened = partsOf(body).map((raw, number) => openPart(raw, number, rid, keyOf));
  const parts = opened.map(({ part }) => part);
  const data = opened[0]?.data;
  if (opened[0] === undefined || data === undefined) return { parts, content: undefined };
  if (opened.some(({ data: bytes, meta }, number) => number > 0 && bytes !== undefined && meta !== "{}")) {
    throw unreadable("a part behind the first has a description");
  }
  const meta = metaOf(opened[0].meta);
  return { parts, content: { meta, ...splice(data, meta, opened) } };
}

/** Whether the parts are those that the entry commits to; a closed part is compared as far as it can be. */
export const partsAgree = (parts: readonly OpenedPart[], entry: readonly EntryPart[]): boolean =>
  parts.length === entry.length &&
  parts.every(({ c, k, h, m }, at) => {
    const promised = entry[at];
    return promised?.c === c && promised.k === k && promised.h === h && (m ?? promised.m) === promised.m;
  });

const unreadable = (why: string): LastroError =>
  new LastroError(
    "BODY_UNREADABLE",
    `the sealed body is not what was written: ${why}; compare the record with the log and restore it from a backup`,
  );

function partsOf(body: Uint8Array): readonly Raw[] {
  const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const count = view[magic.length] ?? 0;
  if (view.toString("latin1", 0, magic.length) !== magic) throw unreadable("it does not begin with LB1");
  if (count < 1 || count > partsMax) throw unreadable("it names no count of parts from 1 to 16");
  const parts: Raw[] = [];
  let at = magic.length + 1;
  for (let number = 0; number < count; number++) {
    const partClass = classOf(view[at]);
    if (partClass === undefined || (number === 0 && partClass === "a"))
      throw unreadable("a class is unknown");
    if (at + partHeadBytes > view.length) throw unreadable("it ends within a part");
    const length = view.readUInt32BE(at + partHeadBytes - lengthBytes);
    const end = at + sealedAt + length + tagBytes;
    if (length < saltBytes + lengthBytes || end > view.length) throw unreadable("it ends within a part");
    const kid = view.toString("base64url", at + 1, at + 1 + kidBytes) as Kid;
    parts.push({ class: partClass, kid, bytes: view.subarray(at, end) });
    at = end;
  }
  if (at !== view.length) throw unreadable("something follows its last part");
  return parts;
}

function openPart(raw: Raw, number: number, rid: Rid, keyOf: KeyOf): Opened {
  const key = keyOf(raw.class, raw.kid);
  const part = { c: raw.class, k: raw.kid, h: hash("sha256", raw.bytes, "base64url") };
  if (key === undefined || key === "destroyed") {
    const state = key === undefined ? "withheld" : "erased";
    return { part: { ...part, m: undefined, state }, meta: "{}", data: undefined };
  }
  const plaintext = decrypt(
    key,
    raw.bytes.subarray(partHeadBytes, sealedAt),
    partAad(number, raw.bytes, rid),
    raw.bytes.subarray(sealedAt),
  );
  if (plaintext === undefined) throw unreadable(`part ${number} does not open under its key`);
  const dataAt = saltBytes + lengthBytes + plaintext.readUInt32BE(saltBytes);
  if (dataAt > plaintext.length) throw unreadable(`the description of part ${number} is too long`);
  return {
    part: { ...part, m: commitment(plaintext), state: "open" },
    meta: plaintext.toString("utf8", saltBytes + lengthBytes, dataAt),
    data: plaintext.subarray(dataAt),
  };
}

function metaOf(text: string): SealedMeta {
  const meta = jsonIn(text);
  if (meta === undefined || !isSealedMeta(meta)) throw unreadable("its description has another form");
  return meta;
}

const hiddenText = Buffer.from("null");

function splice(rest: Uint8Array, meta: SealedMeta, opened: readonly Opened[]) {
  const pieces: Uint8Array[] = [];
  const hidden: HiddenRange[] = [];
  const used = opened.map(() => 0);
  let [original, shown, taken] = [0, 0, 0];
  const push = (piece: Uint8Array): void => {
    pieces.push(piece);
    shown += piece.length;
  };
  for (const [start, length, number] of meta.cuts) {
    const source = number === 0 ? undefined : opened[number];
    const kept = start - original;
    if (source === undefined || kept < 0 || taken + kept > rest.length)
      throw unreadable("a cut is misplaced");
    push(rest.subarray(taken, taken + kept));
    taken += kept;
    original = start + length;
    const from = used[number] ?? 0;
    used[number] = from + length;
    if (source.data === undefined) {
      const why = source.part.state === "erased" ? "erased" : "withheld";
      hidden.push({ part: number, start, length, shownAt: shown, why });
      push(hiddenText);
    } else push(source.data.subarray(from, from + length));
  }
  push(rest.subarray(taken));
  const spent = opened.every(({ data }, at) => at === 0 || data === undefined || data.length === used[at]);
  if (!spent) throw unreadable("the cuts do not use up their parts");
  return { value: Buffer.concat(pieces), hidden };
}
