/** A data key as a disk or a hand may leave it: its document is there, and the wrapped key does not open. */
import type { Kid } from "../../src/core/ids.ts";
import type { KeyClass, KeyStore } from "../../src/ports/key-store.ts";

const never = new AbortController().signal;

/** Flips a bit of the wrapped key in the store. Gives what flips it back. */
export async function damageKey(
  keys: KeyStore,
  wanted: { readonly class: KeyClass; readonly kid: Kid },
): Promise<() => Promise<void>> {
  const flip = async (): Promise<void> => {
    const [document] = await keys.byKid([wanted], never);
    const key = document?.keys.find(({ kid }) => kid === wanted.kid);
    if (document === undefined || key === undefined || key.wrapped === null) throw new Error("no such key");
    const wrapped = key.wrapped.with(20, (key.wrapped[20] ?? 0) ^ 1);
    if (!(await keys.rewrap(document, key.kid, key.wrapped, { kek: key.kek, wrapped }, never)))
      throw new Error("the key was changed by another");
  };
  await flip();
  return flip;
}
