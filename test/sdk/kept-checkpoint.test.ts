/** What may be believed behind a checkpoint that was kept, by who holds no key of the log: the giver names the keys, and may be a stranger. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { keepPin } from "../../src/cli/verification.ts";
import {
  type Evidence,
  logReaderOf,
  noTrust,
  type Trust,
  type Verification,
  verifyBundle,
  verifyLog,
} from "../../src/sdk/verify.ts";
import { type Laid, recordEvidence, staticResources } from "../support/evidence.ts";
import { testSigner } from "../support/log.ts";
import {
  announced,
  genesis,
  origin,
  recorded,
  retired,
  ridAt,
  signedBy,
  vkeyOf,
} from "../support/signed-trees.ts";
import { temporaryFolder } from "../support/sqlite.ts";

const [own, next, stranger] = ["own", "next", "stranger"].map((label) =>
  testSigner(origin, "ed25519", label),
) as [ReturnType<typeof testSigner>, ReturnType<typeof testSigner>, ReturnType<typeof testSigner>];

const genuine = [...genesis(own), ...recorded(0, 1)];
const kept = await signedBy(genuine, own);
/** A key of his own, and what he says was recorded: without the log's key. */
const forgery = [...genuine, ...announced(stranger), ...recorded(1, genuine.length + 1)];
const forged = await signedBy(forgery, stranger);
/** The same steps by the log itself. */
const overlap = [...genuine, ...announced(next), ...recorded(1, genuine.length + 1)];
const both = await signedBy(overlap, own, next);
const rotated = [...overlap, ...retired(own), ...recorded(2, overlap.length + 1)];
const alone = await signedBy(rotated, next);

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

type Verify = (laid: Laid, offset: number, trust: Trust) => Promise<Verification>;
const evidenceOf = (laid: Laid, offset: number, { pin }: Trust): Promise<Evidence> =>
  recordEvidence(laid, undefined, ridAt(offset), pin);
const ofRecord: Verify = async (laid, offset, trust) =>
  verifyBundle({ kind: "record", rid: ridAt(offset) }, await evidenceOf(laid, offset, trust), trust);
const ofLog: Verify = async (laid, _, trust) => {
  const resources = staticResources(laid);
  return verifyLog(
    logReaderOf(async (path) => resources.get(path)),
    { trust, entries: "lastro" },
  );
};
const unknownKey = {
  verdict: "incomplete",
  findings: [{ code: "KEY_UNKNOWN", detail: expect.stringMatching(/of size 3 that you kept.*--vkey/) }],
};
/** What `--pin` has in its file after a verification. */
function keptAfter(before: Laid, given: Laid, result: Verification): string {
  const path = join(folder.path, "kept.txt");
  writeFileSync(path, before.note);
  keepPin(path, given.note, result);
  return readFileSync(path, "utf8");
}

describe.each([
  ["a record", ofRecord],
  ["a whole log", ofLog],
] as const)("R-21 %s, for who kept a checkpoint and holds no key", (_, verify) => {
  const pinned = (laid: Laid): Trust => ({ ...noTrust, pin: laid.note });

  test("is incomplete where a stranger laid it behind the kept checkpoint under a key of his own, and the checkpoint stays", async () => {
    const result = await verify(forged, 1, pinned(kept));
    expect(result).toMatchObject(unknownKey);
    expect(keptAfter(kept, forged, result)).toBe(kept.note);
    expect(await verify(forged, 1, { ...pinned(kept), vkeys: [vkeyOf(own)] })).toMatchObject({
      findings: [{ code: "SIGNATURE_INVALID" }],
    });
  });

  test("is incomplete behind an anchored checkpoint in the same way", async () => {
    const trust = { ...noTrust, anchored: [{ note: kept.note }] };
    const evidence = await evidenceOf(forged, 1, pinned(kept));
    const result =
      verify === ofLog
        ? await verify(forged, 1, trust)
        : verifyBundle({ kind: "record", rid: ridAt(1) }, evidence, trust);
    expect(result).toMatchObject(unknownKey);
  });

  test("is incomplete where a stranger's signature had been put on the checkpoint that was kept", async () => {
    const mixed = await signedBy(genuine, own, stranger);
    expect(await verify(forged, 1, pinned(mixed))).toMatchObject(unknownKey);
  });

  test("is intact at each step of a rotation that is followed, and the kept checkpoint moves on", async () => {
    for (const [before, after, offset] of [
      [kept, both, 1],
      [both, alone, 2],
    ] as const) {
      const result = await verify(after, offset, pinned(before));
      expect(result).toMatchObject({
        verdict: "intact",
        findings: [],
        basis: [{ kind: "self" }, { kind: "pinned", size: before.leaves.length }],
      });
      expect(keptAfter(before, after, result)).toBe(after.note);
    }
  });

  test("is incomplete behind a rotation that was missed, with a sentence that says what to do, and intact for who does it", async () => {
    const missed = await verify(alone, 2, pinned(kept));
    expect(missed).toMatchObject(unknownKey);
    const told = await verify(alone, 2, { ...pinned(kept), vkeys: [vkeyOf(next)] });
    expect(told).toMatchObject({ verdict: "intact", findings: [] });
    expect(keptAfter(kept, alone, told)).toBe(alone.note);
    expect(await verify(alone, 2, pinned(alone))).toMatchObject({ verdict: "intact" });
  });
});

test("R-80 a bundle of what lies below the kept checkpoint is intact by whichever key it was signed, and shows no keys", async () => {
  const evidence = await recordEvidence(kept, undefined, ridAt(0));
  const { consistency } = await recordEvidence(alone, undefined, ridAt(0), kept.note);
  const trust = { ...noTrust, pin: alone.note };
  expect(verifyBundle({ kind: "record", rid: ridAt(0) }, { ...evidence, consistency }, trust)).toMatchObject({
    verdict: "intact",
    findings: [],
    basis: [{ kind: "self" }, { kind: "pinned", size: alone.leaves.length }],
  });
});
