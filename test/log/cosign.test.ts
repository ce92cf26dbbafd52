/** Checkpoints and those who cosign them: what is published as witnessed, and what becomes of witnesses that are away, ahead or wrong. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { LastroError } from "../../src/core/errors.ts";
import { parseNote, verifiedSignature } from "../../src/core/signed-note.ts";
import { countCosignatures, openCheckpoint } from "../../src/core/trust.ts";
import { type CosignDeps, type Cosigner, openCosigner } from "../../src/log/cosign.ts";
import { type TestWitness, testWitness } from "../support/asked-witness.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { haltOf, type LogWorld, never, openLogWorld } from "../support/log-world.ts";
import { makeScene, type Scene } from "../support/records.ts";
import { temporaryFolder } from "../support/sqlite.ts";

type Watched = AsyncDisposable & {
  readonly world: LogWorld;
  readonly scene: Scene;
  readonly witnesses: readonly [TestWitness, TestWitness, TestWitness];
  readonly cosigner: Cosigner;
  /** Takes in events, logs them and publishes. */
  grow(events: number): Promise<void>;
  witnessed(): Promise<string | undefined>;
};

async function watched(over: Partial<CosignDeps> = {}): Promise<Watched> {
  const world = await openLogWorld();
  const scene = makeScene();
  const grow = async (events: number): Promise<void> => {
    await world.intake(scene, "s".repeat(events));
    await world.drain();
  };
  await grow(3);
  const names = ["w.test/1", "w.test/2", "w.test/3"] as const;
  const [a, b, c] = await Promise.all(names.map((name) => testWitness(world, name)));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three witnesses");
  const witnesses = [a, b, c] as const;
  const deps = { log: world.store.log, witnesses, quorum: 2, sha256, verify: ed25519, timeoutMs: 20_000 };
  return {
    world,
    scene,
    witnesses,
    cosigner: openCosigner({ ...deps, ...over }),
    grow,
    witnessed: async () => (await world.store.log.checkpoint("witnessed", never))?.note,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const away = async (): Promise<never> => {
  throw new LastroError("WITNESS_UNAVAILABLE", "away");
};
const hang = (_: string, signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const end = (): void => reject(new LastroError("WITNESS_UNAVAILABLE", "too late"));
    signal.addEventListener("abort", end, { once: true });
  });
const kindsOf = (report: Awaited<ReturnType<Cosigner["pass"]>>) =>
  [...(report?.answers.values() ?? [])].map(({ kind }) => kind).toSorted();

test("R-84 a checkpoint that enough witnesses cosigned is published as witnessed: the log's own note with their cosignatures behind it", async () => {
  await using log = await watched();
  const report = await log.cosigner.pass(never);
  expect(report?.isWitnessed).toBe(true);
  expect(kindsOf(report)).toEqual(["cosigned", "cosigned", "cosigned"]);
  const note = (await log.witnessed()) ?? "";
  const opened = openCheckpoint(note);
  const own = parseNote(log.world.notes.at(-1) ?? "");
  if (opened === undefined || own === undefined) throw new Error("no checkpoint");
  expect(opened.note.text).toBe(own.text);
  expect(opened.note.signatures.slice(0, own.signatures.length)).toEqual(own.signatures);
  const found: unknown[] = [];
  const vkeys = log.witnesses.map(({ vkey }) => vkey);
  const crypto = { sha256, verify: ed25519 };
  expect(countCosignatures(crypto, opened, "witnessed", vkeys, (finding) => found.push(finding))).toBe(3);
  expect(found).toEqual([]);
});

test("with fewer than enough nothing is published as witnessed, and what was witnessed before stays", async () => {
  await using log = await watched();
  await log.cosigner.pass(never);
  const before = await log.witnessed();
  const [a, b] = log.witnesses;
  a.instead = away;
  b.instead = async () => ({ kind: "refused", status: 403 });
  await log.grow(2);
  const report = await log.cosigner.pass(never);
  expect(report?.isWitnessed).toBe(false);
  expect(kindsOf(report)).toEqual(["cosigned", "refused", "unavailable"]);
  expect(await log.witnessed()).toBe(before);
});

test("a witness that comes back adds its cosignature, and who has cosigned is not asked again", async () => {
  await using log = await watched();
  const [a, b, c] = log.witnesses;
  a.instead = away;
  await log.cosigner.pass(never);
  a.instead = undefined;
  const report = await log.cosigner.pass(never);
  expect(kindsOf(report)).toEqual(["cosigned", "cosigned", "cosigned"]);
  expect([b.asked.length, c.asked.length]).toEqual([1, 1]);
  const note = parseNote((await log.witnessed()) ?? "");
  expect(log.witnesses.map(({ key }) => note && verifiedSignature(note, key, ed25519) !== undefined)).toEqual(
    [true, true, true],
  );
});

test("asked anew, who has cosigned tells what it has seen since from others", async () => {
  await using log = await watched();
  const [a] = log.witnesses;
  await log.cosigner.pass(never);
  // The store is put back to what this witness cosigned; meanwhile it cosigned more.
  a.instead = async () => ({ kind: "at", size: 9 });
  expect((await log.cosigner.pass(never, true))?.answers.get(a.key.name)).toEqual({ kind: "ahead", size: 9 });
  expect(log.cosigner.sizes()).toContain(9);
});

test("one that hangs keeps nobody waiting: the checkpoint is witnessed as soon as enough have answered", async () => {
  await using log = await watched();
  const [a] = log.witnesses;
  a.instead = hang;
  const stop = new AbortController();
  const pass = log.cosigner.pass(stop.signal);
  while ((await log.witnessed()) === undefined) await new Promise((done) => setImmediate(done));
  stop.abort();
  expect(kindsOf(await pass)).toEqual(["cosigned", "cosigned", "unavailable"]);
});

test("one that does not answer in its time counts as unavailable", async () => {
  await using log = await watched({ timeoutMs: 20 });
  log.witnesses[0].instead = hang;
  expect(kindsOf(await log.cosigner.pass(never))).toEqual(["cosigned", "cosigned", "unavailable"]);
});

test("a witness is asked with a proof from the size that it saw, whatever the log thought", async () => {
  await using log = await watched();
  const [a] = log.witnesses;
  await log.cosigner.pass(never);
  await log.grow(600);
  await log.cosigner.pass(never);
  expect(a.asked.map(({ oldSize }) => oldSize)).toEqual([0, 5]);
  // A process that has just started knows nothing of its witnesses.
  const fresh = openCosigner({
    log: log.world.store.log,
    witnesses: log.witnesses,
    quorum: 3,
    sha256,
    verify: ed25519,
    timeoutMs: 20_000,
  });
  await log.grow(300);
  expect((await fresh.pass(never))?.isWitnessed).toBe(true);
  expect(a.asked.slice(2).map(({ oldSize }) => oldSize)).toEqual([0, 606]);
});

describe("a cosignature counts only if it verifies", () => {
  test.each<readonly [string, (own: TestWitness, other: TestWitness, note: string) => readonly string[]]>([
    ["nothing at all", () => []],
    ["the cosignature of another witness", (_, other, note) => [other.lineFor(textOf(note))]],
    ["one of another text", (own, _, note) => [own.lineFor(`${textOf(note)}more\n`)]],
    ["what is no signature line", () => ["signed, the witness"]],
  ])("%s is refused", async (_, lines) => {
    await using log = await watched();
    const [a, b] = log.witnesses;
    a.instead = async (checkpoint) => ({ kind: "cosigned", lines: lines(a, b, checkpoint) });
    b.instead = away;
    const report = await log.cosigner.pass(never);
    expect(report?.answers.get(a.key.name)).toEqual({ kind: "refused", status: 200 });
    expect(await log.witnessed()).toBeUndefined();
  });
});
const textOf = (note: string): string => parseNote(note)?.text ?? "";

test("a witness that saw a larger log is ahead, and the sequencer halts for it", async () => {
  await using log = await watched();
  const [a] = log.witnesses;
  a.instead = async () => ({ kind: "at", size: 9 });
  const report = await log.cosigner.pass(never);
  expect(report?.answers.get(a.key.name)).toEqual({ kind: "ahead", size: 9 });
  expect(log.cosigner.sizes().toSorted()).toEqual([5, 5, 9]);
  const witnessSizes = async () => log.cosigner.sizes();
  expect(await haltOf(log.world.pass({ witnessSizes }))).toMatchObject({ reason: "WITNESS_AHEAD" });
});

test("one that names another size at each asking is asked twice, not for ever", async () => {
  await using log = await watched();
  const [a] = log.witnesses;
  a.instead = async () => ({ kind: "at", size: a.asked.length });
  expect((await log.cosigner.pass(never))?.answers.get(a.key.name)).toEqual({ kind: "refused", status: 409 });
  expect(a.asked).toHaveLength(2);
});

test("a copy of the store that goes another way with the same key is never witnessed", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const copy = join(folder.path, "copy.db");
  await using world = await openLogWorld({ store: await openSqliteStore({ path }), folder: folder.path });
  const scene = makeScene();
  await world.intake(scene, "sss");
  await world.drain();
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const witness = await testWitness(world, "w.test/1");
  const deps = { witnesses: [witness], quorum: 1, sha256, verify: ed25519, timeoutMs: 20_000 };
  await world.intake(scene, "ss");
  await world.drain();
  await openCosigner({ ...deps, log: world.store.log }).pass(never);
  const insider = temporaryFolder();
  using _ = insider;
  copyFileSync(world.keyFile, join(insider.path, "log-key.json"));
  await using rewritten = await openLogWorld({
    store: await openSqliteStore({ path: copy }),
    folder: insider.path,
  });
  await rewritten.intake(scene, "srsss");
  await rewritten.drain();
  const report = await openCosigner({ ...deps, log: rewritten.store.log }).pass(never);
  expect(report?.answers.get(witness.key.name)).toEqual({ kind: "refused", status: 422 });
  expect(await rewritten.store.log.checkpoint("witnessed", never)).toBeUndefined();
});
