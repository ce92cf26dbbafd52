/** What every checkpoint signer keeps to. */
import { expect, test } from "@jest/globals";
import { formatCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import { parseNote, parseVerifierKey, verifiedSignature } from "../../src/core/signed-note.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { CheckpointSigner, SignerState } from "../../src/ports/checkpoint-signer.ts";
import { verifyNote } from "../support/ed25519.ts";

export type SignerFixture = {
  /** A signer over the same keys and the same memory, as after a restart. */
  open(): Promise<CheckpointSigner>;
  /** Puts a second key behind the first. */
  addKey(): Promise<void>;
};

export const origin = "log.example.org/0123456789abcdef";
const checkpoint = (size: number, byte: number): SignerState => ({
  origin,
  size,
  root: new Uint8Array(32).fill(byte),
});

export function checkpointSignerContract(begin: () => Promise<SignerFixture>): void {
  test("a key is a C2SP verifier key under the log's origin, and its signature over the checkpoint verifies", async () => {
    const signer = await (await begin()).open();
    const key = parseVerifierKey(sha256, signer.vkeys[0] ?? "");
    expect(key).toMatchObject({ name: origin, type: "ed25519" });
    const note = parseNote(await signer.sign(checkpoint(7, 1), signer.vkeys));
    if (note === undefined || key === undefined) throw new Error("no note");
    expect(note.text).toBe(formatCheckpoint(checkpoint(7, 1)));
    expect(parseCheckpoint(note.text)).toEqual(checkpoint(7, 1));
    expect(note.signatures).toHaveLength(1);
    expect(verifiedSignature(note, key, verifyNote)).toBeDefined();
    expect(
      verifiedSignature({ ...note, text: note.text.replace("7", "8") }, key, verifyNote),
    ).toBeUndefined();
  });

  test("it remembers what it signed, also after a restart", async () => {
    const { open } = await begin();
    const signer = await open();
    expect(await signer.state()).toBeUndefined();
    await signer.sign(checkpoint(7, 1), signer.vkeys);
    expect(await signer.state()).toEqual(checkpoint(7, 1));
    expect(await (await open()).state()).toEqual(checkpoint(7, 1));
  });

  test.each([
    ["a smaller size", checkpoint(6, 1)],
    ["another root at the same size", checkpoint(7, 2)],
    ["another origin", { ...checkpoint(8, 1), origin: "log.example.org/fedcba9876543210" }],
  ])("it refuses %s, whenever it was started, and remembers what it had", async (_, next) => {
    const { open } = await begin();
    const signer = await open();
    await signer.sign(checkpoint(7, 1), signer.vkeys);
    for (const each of [signer, await open()]) {
      await expect(each.sign(next, each.vkeys)).rejects.toMatchObject({ code: "LOG_HALTED" });
      expect(await each.state()).toEqual(checkpoint(7, 1));
    }
  });

  test("the same checkpoint is signed again with the same text; a larger one moves the memory", async () => {
    const signer = await (await begin()).open();
    const first = await signer.sign(checkpoint(7, 1), signer.vkeys);
    expect(await signer.sign(checkpoint(7, 1), signer.vkeys)).toBe(first);
    await signer.sign(checkpoint(9, 2), signer.vkeys);
    expect(await signer.state()).toEqual(checkpoint(9, 2));
  });

  test("with a second key it gives the signatures that are asked for", async () => {
    const { open, addKey } = await begin();
    const [old = ""] = (await open()).vkeys;
    await addKey();
    const signer = await open();
    expect(signer.vkeys).toHaveLength(2);
    expect(signer.vkeys[0]).toBe(old);
    const both = parseNote(await signer.sign(checkpoint(7, 1), signer.vkeys));
    if (both === undefined) throw new Error("no note");
    for (const vkey of signer.vkeys) {
      const key = parseVerifierKey(sha256, vkey);
      expect(key && verifiedSignature(both, key, verifyNote)).toBeDefined();
    }
    const one = parseNote(await signer.sign(checkpoint(8, 1), signer.vkeys.slice(1)));
    expect(one?.signatures.map(({ id }) => id)).toEqual([both.signatures[1]?.id]);
  });

  test("a key that it does not hold is refused, and nothing is remembered", async () => {
    const signer = await (await begin()).open();
    const stranger = "log.example.org/0123456789abcdef+00000000+AAAA";
    await expect(signer.sign(checkpoint(7, 1), [stranger])).rejects.toMatchObject({ code: "KEY_MISSING" });
    expect(await signer.state()).toBeUndefined();
  });
}
