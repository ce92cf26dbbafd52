/** The parts of a sealed body as they lie side by side: class, key id and bytes. Needs no key; opening them is `privacy`'s. */
import { isBase64UrlOf } from "./base64.ts";
import type { Kid } from "./ids.ts";
import type { EntryPart } from "./leaf.ts";
import type { Sha256 } from "./merkle.ts";

const magic = [0x4c, 0x42, 0x31] as const;
const partsMax = 16;
const kidBytes = 16;
/** Class, key id, length of the ciphertext. */
const headBytes = 1 + kidBytes + 4;
const nonceBytes = 24;
const tagBytes = 16;
const classes: Readonly<Record<number, EntryPart["c"]>> = { 115: "s", 112: "p", 97: "a" };

/** With its bytes, which include class and key id. */
type Part = { readonly c: EntryPart["c"]; readonly kid: Uint8Array; readonly bytes: Uint8Array };

/** Undefined for bytes that are not laid out as `LB1` says. */
function partsIn(body: Uint8Array): readonly Part[] | undefined {
  const count = body[magic.length] ?? 0;
  if (magic.some((byte, at) => body[at] !== byte) || count < 1 || count > partsMax) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const parts: Part[] = [];
  let at = magic.length + 1;
  for (let number = 0; number < count; number++) {
    const c = classes[body[at] ?? 0];
    if (c === undefined || at + headBytes > body.length) return undefined;
    const end = at + headBytes + nonceBytes + view.getUint32(at + headBytes - 4) + tagBytes;
    if (end > body.length) return undefined;
    parts.push({ c, kid: body.subarray(at + 1, at + 1 + kidBytes), bytes: body.subarray(at, end) });
    at = end;
  }
  return at === body.length ? parts : undefined;
}

export type BodyVerdict = "agrees" | "changed" | { readonly gone: readonly Kid[] };

/** Holds a stored body against the parts that the leaf entry commits to. `gone`: nothing is left of the body but its promise. */
export function compareBody(sha256: Sha256, body: Uint8Array, promised: readonly EntryPart[]): BodyVerdict {
  if (body.length === 0) return { gone: promised.map(({ k }) => k) };
  const parts = partsIn(body);
  if (parts === undefined || parts.length !== promised.length) return "changed";
  const agrees = parts.every(({ c, kid, bytes }, at) => {
    const part = promised[at];
    return part?.c === c && isBase64UrlOf(part.k, kid) && isBase64UrlOf(part.h, sha256(bytes));
  });
  return agrees ? "agrees" : "changed";
}
