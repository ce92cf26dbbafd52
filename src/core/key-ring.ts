/** The text of a key ring, wherever it lies, and a ring that is read anew from there. */
import * as z from "zod";
import { LastroError } from "./errors.ts";

/** 32 bytes. */
export type Kek = { readonly epoch: number; readonly key: Uint8Array };

export const KeyRingText = z
  .strictObject({
    v: z.literal(1),
    current: z.int().positive(),
    keks: z.record(z.string().regex(/^[1-9]\d{0,8}$/), z.base64url().length(43)),
  })
  .refine((ring) => Object.hasOwn(ring.keks, String(ring.current)), "`current` names no key in `keks`")
  .transform(({ current, keks }) => {
    const all = Object.entries(keks)
      .map(([epoch, key]): Kek => ({ epoch: Number(epoch), key: bytesOf(key) }))
      .toSorted((a, b) => a.epoch - b.epoch);
    return { current, all };
  });

const bytesOf = (base64Url: string): Uint8Array =>
  Uint8Array.from(atob(base64Url.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

/** A ring as `read` gives it; those who want it anew while it is being read share what comes. */
export async function keyRingBy(read: () => Promise<z.output<typeof KeyRingText>>) {
  let ring = await read();
  let reading: Promise<void> | undefined;
  const readAnew = async (): Promise<void> => {
    try {
      ring = await read();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : "it cannot be read";
      throw new LastroError("KEY_UNAVAILABLE", `the key ring was not read anew: ${why}`, { cause });
    } finally {
      reading = undefined;
    }
  };
  const currentOf = ({ current, all }: typeof ring): Kek => {
    const kek = all.find(({ epoch }) => epoch === current);
    if (kek === undefined) throw new TypeError("a key ring without its current key was accepted");
    return kek;
  };
  return {
    current: () => currentOf(ring),
    all: () => ring.all,
    refresh(): Promise<void> {
      reading ??= readAnew();
      return reading;
    },
  };
}
