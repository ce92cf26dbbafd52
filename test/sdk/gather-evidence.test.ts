/** Evidence as a server gives it, gathered and judged as `lastro verify` does. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseNote } from "../../src/core/signed-note.ts";
import { openCheckpoint } from "../../src/core/trust.ts";
import { gatherEvidence } from "../../src/sdk/gather-evidence.ts";
import {
  type BundleScope,
  type Evidence,
  noTrust,
  parseEvidence,
  type Verification,
  verifyBundle,
} from "../../src/sdk/verify.ts";
import { type EvidenceWorld, openEvidenceWorld, ridAt, src } from "../support/evidence-world.ts";
import { jumpingClock } from "../support/jumping-clock.ts";
import { runLastro, runLastroWith } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";

const record = (offset: number): BundleScope => ({ kind: "record", rid: ridAt(offset) });
const range = (to: number): BundleScope => ({ kind: "range", src, from: 0, to });
const sizeOf = (note: string): number => openCheckpoint(note)?.checkpoint.size ?? -1;
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
    record: [record(3), await gatherEvidence(world.address, record(3), Date.now)],
    range: [range(6), await gatherEvidence(world.address, range(6), Date.now)],
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

test("R-80 who keeps the checkpoint at each step of a rotation is led on by what the server gives, without a key of his own", async () => {
  await using world = await openEvidenceWorld();
  await world.publish(3);
  let kept = world.note();
  const first = kept;
  for (const step of [world.announceKey, world.retireKey]) {
    await step();
    await world.publish(1);
    const given = await gatherEvidence(world.address, record(1), Date.now, { keptSizes: [sizeOf(kept)] });
    expect(sizeOf(given.checkpoint)).toBeGreaterThan(sizeOf(kept));
    expect(verifyBundle(record(1), given, { ...noTrust, pin: kept })).toMatchObject({
      verdict: "intact",
      findings: [],
      basis: [{ kind: "self" }, { kind: "pinned", size: sizeOf(kept) }],
    });
    kept = given.checkpoint;
  }
  const late = await gatherEvidence(world.address, record(1), Date.now, { keptSizes: [sizeOf(first)] });
  expect(verifyBundle(record(1), late, { ...noTrust, pin: first })).toMatchObject({
    verdict: "incomplete",
    findings: [{ code: "KEY_UNKNOWN" }],
  });
});

describe("where witnesses cosigned the checkpoint before the latest", () => {
  let world: EvidenceWorld;
  let witness: string;
  /** Leaves of the checkpoint that was cosigned. */
  let cosigned: number;
  const verify = async (...args: readonly string[]) => {
    const server = ["--server", world.address, "--witness", witness, "--json"];
    const { code, out } = await runLastro("verify", ...args, ...server);
    return { code, ...(JSON.parse(out) as Verification) };
  };
  const witnessed = [{ kind: "self" }, { kind: "witnessed", k: 1 }];
  beforeAll(async () => {
    world = await openEvidenceWorld();
    await world.publish(6);
    witness = await world.cosign();
    cosigned = sizeOf(world.note());
    await world.publish(4);
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  test("R-84 lastro verify --witness against a server is intact on the basis witnessed: a record", async () => {
    expect(await verify("record", ridAt(3))).toMatchObject({ code: 0, verdict: "intact", basis: witnessed });
  });
  test("R-84 lastro verify --witness against a server is intact on the basis witnessed: a range", async () => {
    expect(await verify("range", src, "0", "6")).toMatchObject({ code: 0, basis: witnessed });
  });
  test("the checkpoint that was kept from the latest tree confirms the smaller one that was cosigned", async () => {
    using folder = temporaryFolder();
    const pin = join(folder.path, "kept.txt");
    writeFileSync(pin, world.note());
    const { code, basis } = await verify("record", ridAt(3), "--pin", pin);
    expect([code, basis]).toEqual([0, [...witnessed, { kind: "pinned", size: sizeOf(world.note()) }]]);
    expect(readFileSync(pin, "utf8")).toBe(world.note());
  });
  test("R-84 an export of evidence at the cosigned size holds the cosignatures", async () => {
    const evidence = bundleIn(await world.exported(cosigned));
    const trust = { ...noTrust, witnesses: { vkeys: [witness], k: 1 } };
    expect(verifyBundle(record(3), evidence, trust)).toMatchObject({
      verdict: "intact",
      basis: witnessed,
      checked: { records: 6, bodies: 6 },
    });
    expect(sizeOf(bundleIn(await world.exported()).checkpoint)).toBe(sizeOf(world.note()));
  });
  test("an export of evidence at a size without a checkpoint is refused, and told the two that there are", async () => {
    await expect(world.exported(cosigned + 1)).rejects.toMatchObject({
      details: expect.stringContaining(`must be ${sizeOf(world.note())}, ${cosigned} (witnessed) or absent`),
    });
  });
  test("what came after it is incomplete, whoever asks for witnesses, and intact for who does not", async () => {
    const missing = { code: 6, verdict: "incomplete", findings: [{ code: "INPUT_MISSING" }] };
    expect(await verify("record", ridAt(8))).toMatchObject(missing);
    expect(await verify("range", src, "0", "10")).toMatchObject(missing);
    expect(verifyBundle(record(8), await gatherEvidence(world.address, record(8), Date.now))).toMatchObject({
      verdict: "intact",
    });
  });
});

test("R-84 where no checkpoint was cosigned yet, a record is incomplete for who asks for witnesses", async () => {
  await using world = await openEvidenceWorld();
  await world.publish(3);
  const evidence = await gatherEvidence(world.address, record(1), Date.now, { witnessed: true });
  const witnesses = { vkeys: [await world.cosign()], k: 1 };
  expect(verifyBundle(record(1), evidence, { ...noTrust, witnesses })).toMatchObject({
    verdict: "incomplete",
    findings: [{ code: "WITNESSES_MISSING" }],
  });
});

test("the command gets its answers on a machine whose clock was put ahead after it started", async () => {
  await using world = await openEvidenceWorld();
  await world.publish(3);
  using folder = temporaryFolder();
  const offset = join(folder.path, "offset");
  writeFileSync(offset, String(3_600_000));
  const run = await runLastroWith(
    { env: { NODE_OPTIONS: jumpingClock(offset).join(" ") } },
    ...["verify", "record", ridAt(1), "--server", world.address],
  );
  expect(run).toMatchObject({ code: 0, err: "" });
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
