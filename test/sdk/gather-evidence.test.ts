/** Evidence as a server gives it, gathered and judged as `lastro verify` does. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseNote } from "../../src/core/signed-note.ts";
import { gatherEvidence } from "../../src/sdk/gather-evidence.ts";
import {
  type BundleScope,
  type Evidence,
  noTrust,
  parseEvidence,
  verifyBundle,
} from "../../src/sdk/verify.ts";
import { type EvidenceWorld, openEvidenceWorld, ridAt, src } from "../support/evidence-world.ts";
import { runLastro } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";

const record = (offset: number): BundleScope => ({ kind: "record", rid: ridAt(offset) });
const range = (to: number): BundleScope => ({ kind: "range", src, from: 0, to });
const signersOf = (note: string): number => parseNote(note)?.signatures.length ?? 0;
const bundleIn = (text: string): Evidence => {
  const parsed = parseEvidence(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.evidence;
};

describe("after each step of a rotation of the log's signing key", () => {
  type Given = Record<"record" | "range" | "export", readonly [BundleScope, Evidence]>;
  let world: EvidenceWorld;
  let given: Record<"before" | "both sign" | "retired", Given>;
  const ask = async (): Promise<Given> => ({
    record: [record(3), await gatherEvidence(world.address, record(3), [])],
    range: [range(6), await gatherEvidence(world.address, range(6), [])],
    export: [record(3), bundleIn(await world.exported())],
  });
  beforeAll(async () => {
    world = await openEvidenceWorld();
    await world.publish(6);
    const before = await ask();
    await world.announceKey();
    const both = await ask();
    await world.retireKey();
    given = { before, "both sign": both, retired: await ask() };
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  test.each([
    ["before", 1],
    ["both sign", 2],
    ["retired", 1],
  ] as const)(
    "R-80 the evidence of a record, of a range and of an export is intact for who holds no key: %s",
    (step, signers) => {
      for (const [name, [scope, evidence]] of Object.entries(given[step])) {
        const { verdict, findings } = verifyBundle(scope, evidence);
        expect([name, verdict, findings]).toEqual([name, "intact", []]);
        expect([signersOf(evidence.checkpoint), evidence.vkeys.length]).toEqual([signers, signers]);
      }
      expect(given.retired.record[1].vkeys).not.toEqual(given.before.record[1].vkeys);
    },
  );

  test("a bundle that names another key than the one that signed is incomplete, and broken for who holds that other key", () => {
    const [scope, evidence] = given.retired.record;
    const { vkeys } = given.before.record[1];
    expect(verifyBundle(scope, { ...evidence, vkeys })).toMatchObject({
      verdict: "incomplete",
      findings: [{ code: "KEY_UNKNOWN" }],
    });
    expect(verifyBundle(scope, evidence, { ...noTrust, vkeys })).toMatchObject({
      verdict: "broken",
      findings: [{ code: "SIGNATURE_INVALID" }],
    });
  });
});

test("R-21 a server whose store was put back gets no pass from who kept a checkpoint of what is gone, and that checkpoint stays", async () => {
  await using world = await openEvidenceWorld();
  using folder = temporaryFolder();
  await world.publish(3);
  await using older = await world.serveCopy();
  await world.publish(3);
  const pin = join(folder.path, "kept.txt");
  writeFileSync(pin, world.note());
  for (const kept of [
    ["--pin", pin],
    ["--anchored", pin],
  ]) {
    const { code, out } = await runLastro("verify", "record", ridAt(1), "--server", older.address, ...kept);
    expect(code).toBe(6);
    expect(out).toMatch(/^PIN_UNREACHED {2}checkpoint (pinned|anchored) of size \d+: .*\n.*\nincomplete/);
  }
  expect(readFileSync(pin, "utf8")).toBe(world.note());
  const { code } = await runLastro("verify", "record", ridAt(1), "--server", world.address, "--pin", pin);
  expect(code).toBe(0);
});
