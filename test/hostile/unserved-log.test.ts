/** Logs that name a size and serve nothing of it: verifying them ends. */
import { expect, test } from "@jest/globals";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { formatNote } from "../../src/core/signed-note.ts";
import { type LogReader, noTrust, type Trust, verifyLog } from "../../src/sdk/verify.ts";
import { bytes, sha256, testSigner } from "../support/log.ts";
import { origin, vkeyOf } from "../support/signed-trees.ts";

const size = Number.MAX_SAFE_INTEGER;
const stranger = testSigner(origin, "ed25519", "stranger");
const text = formatCheckpoint({ origin, size, root: sha256(bytes("anything")) });
const checkpoint = formatNote({ text, signatures: [stranger.signature(text)] });
const callsMax = 1_000;

/** The checkpoint, and nothing of the leaves below it. */
async function verified(trust: Trust) {
  let calls = 0;
  const absent = async (): Promise<undefined> => {
    calls += 1;
    // It would go on for ever, and nothing could stop it.
    if (calls > callsMax) throw new Error("it asks without end");
  };
  const reader: LogReader = {
    checkpoint: async (name) => (name === "latest" ? checkpoint : undefined),
    tile: absent,
    entries: absent,
  };
  return { ...(await verifyLog(reader, { trust, entries: "lastro" })), calls };
}

test("R-21 a log of 2^53 − 1 leaves that serves none of them is incomplete after a few stretches, and the rest is named as one", async () => {
  const { verdict, findings, counts, calls, checked } = await verified(noTrust);
  const read = (calls / 2) * 256;
  expect(read).toBeLessThan(10_000);
  expect(verdict).toBe("incomplete");
  expect(findings).toContainEqual(
    expect.objectContaining({ code: "INPUT_MISSING", object: { kind: "leaves", from: read, to: size } }),
  );
  expect(counts).toEqual({ INPUT_MISSING: calls + 1, KEY_UNKNOWN: 1 });
  expect(checked["leaves"]).toBe(read);
});

test("R-21 nothing is asked for below a checkpoint that the keys of the verifier did not sign", async () => {
  const { verdict, findings, calls } = await verified({ ...noTrust, vkeys: [vkeyOf(testSigner(origin))] });
  expect(verdict).toBe("broken");
  expect(findings).toMatchObject([{ code: "SIGNATURE_INVALID", object: { name: "latest", size } }]);
  expect(calls).toBe(0);
});
