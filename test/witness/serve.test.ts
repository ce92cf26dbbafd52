import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openWitnessMemory } from "../../src/adapters/witness-memory/sqlite.ts";
import { formatAddCheckpoint } from "../../src/core/add-checkpoint.ts";
import {
  parseNote,
  parseVerifierKey,
  type VerifiedSignature,
  verifiedSignature,
} from "../../src/core/signed-note.ts";
import { type RunningWitness, type StartWitness, startWitness } from "../../src/witness/start.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { post, watchedLog } from "../support/witness.ts";

const log = watchedLog("log.test/a", 300);
const fork = watchedLog("log.test/a", 300, 100);
const nowMs = 1_790_000_000_500;
let folder: ReturnType<typeof temporaryFolder>;
const running: RunningWitness[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  for (const witness of running.splice(0)) await witness[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

let drawn = 0;
async function start(over: Partial<StartWitness> = {}): Promise<RunningWitness> {
  const witness = await startWitness({
    folder: folder.path,
    keyFile: undefined,
    name: "witness.test/w1",
    logs: [log.signer.key],
    address: { host: "127.0.0.1", port: 0 },
    now: () => nowMs,
    random: (bytes) => new Uint8Array(bytes).fill(++drawn),
    ...over,
  });
  running.push(witness);
  return witness;
}

const ask = async (witness: RunningWitness, from: number, size: number, of = log) =>
  post(witness.url, formatAddCheckpoint(await of.request(from, size)));

/** As a log reads it: the answer's lines behind the checkpoint are a signed note. */
function cosignatureIn(answer: string, size: number, vkey: string): VerifiedSignature | undefined {
  const note = parseNote(log.note(size) + answer);
  const key = parseVerifierKey(sha256, vkey);
  if (note === undefined || key === undefined) throw new Error("no note");
  return verifiedSignature(note, key, ed25519);
}

test("R-84 a consistent checkpoint is answered with 200 and a cosignature/v1 of this second", async () => {
  const witness = await start();
  for (const [from, size] of [[0, 70], [70, 300], [300, 300]] as const) {
    const answer = await ask(witness, from, size);
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/^— witness\.test\/w1 \S+\n$/);
    expect(cosignatureIn(answer.text, size, witness.vkey)?.timestampS).toBe(1_790_000_000);
  }
}); // biome-ignore format: a table

test("a conflict is answered with 409 and the size in the form of the protocol", async () => {
  const witness = await start();
  await ask(witness, 0, 70);
  expect(await ask(witness, 0, 300)).toEqual({ status: 409, type: "text/x.tlog.size", text: "70\n" });
});

test("a log that signed two trees of a size gets 409, and the operator the note that proves it", async () => {
  const notes: string[] = [];
  const witness = await start({ onFork: (note) => notes.push(note) });
  await ask(witness, 0, 150);
  expect(await ask(witness, 150, 150, fork)).toMatchObject({ status: 409, text: "150\n" });
  expect(notes).toEqual([fork.note(150)]);
  expect(await ask(witness, 150, 300, fork)).toMatchObject({ status: 422 });
  expect(await ask(witness, 150, 300)).toMatchObject({ status: 200 });
});

test.each([
  ["400 to what is no request", "hello", 400],
  ["400 to bytes that are not UTF-8", new Uint8Array([0x6f, 0x6c, 0x64, 0xff]), 400],
  ["400 to an empty body", "", 400],
  ["404 to a log it does not watch", `old 0\n\n${watchedLog("log.test/b", 9).note(9)}`, 404],
  ["403 to a signature it does not trust", `old 0\n\n${log.note(9).replace(/\S{8}\n$/, "AAAAAAA=\n")}`, 403],
  ["413 to more than 64 KiB", "x".repeat(65 * 1024), 413],
])("it answers %s and remembers nothing", async (_, body, status) => {
  const witness = await start();
  expect((await post(witness.url, body)).status).toBe(status);
  expect((await ask(witness, 0, 70)).status).toBe(200);
});

test("any content type, and none, is read", async () => {
  const witness = await start();
  const body = formatAddCheckpoint(await log.request(0, 70));
  for (const type of ["application/octet-stream", "application/json", "text/plain"]) {
    const headers = { "content-type": type };
    const response = await fetch(`${witness.url}/add-checkpoint`, { method: "POST", body, headers });
    expect([200, 409]).toContain(response.status);
  }
});

test("of forty requests from one old size at once, exactly one is cosigned", async () => {
  const witness = await start();
  await ask(witness, 0, 100);
  const both = Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? log : fork));
  const answers = await Promise.all(both.map((of, at) => ask(witness, 100, 101 + (at % 7), of)));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(39).fill(409)]);
});

test("two processes on one memory never both advance from the same tree", () => {
  const path = join(folder.path, "shared.db");
  using one = openWitnessMemory(path);
  using other = openWitnessMemory(path);
  const tree = (size: number, byte: number) => ({ size, root: new Uint8Array(32).fill(byte) });
  expect(one.advance("log.test/a", undefined, tree(7, 1))).toBe(true);
  expect(other.advance("log.test/a", undefined, tree(7, 2))).toBe(false);
  expect(other.seen("log.test/a")).toEqual(tree(7, 1));
  expect(other.advance("log.test/a", tree(7, 1), tree(9, 2))).toBe(true);
  expect(one.advance("log.test/a", tree(7, 1), tree(9, 3))).toBe(false);
  expect(one.advance("log.test/a", tree(9, 3), tree(10, 3))).toBe(false);
  expect(one.seen("log.test/a")).toEqual(tree(9, 2));
  expect(one.seen("log.test/b")).toBeUndefined();
});

test("after a restart it has the same key and still knows what it saw", async () => {
  const first = await start();
  await ask(first, 0, 150);
  await first[Symbol.asyncDispose]();
  running.length = 0;
  const second = await start({ name: undefined });
  expect(second.vkey).toBe(first.vkey);
  expect(await ask(second, 0, 150)).toMatchObject({ status: 409, text: "150\n" });
  expect(await ask(second, 150, 300, fork)).toMatchObject({ status: 422 });
});

test("a witness that has lost its memory refuses to start: it would cosign a fork", async () => {
  const first = await start();
  await first[Symbol.asyncDispose]();
  running.length = 0;
  await rm(join(folder.path, "witness-memory.db"));
  await expect(start()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("it is not started without a name, under another name, or under a name no key can have", async () => {
  await expect(start({ name: undefined })).rejects.toThrow(/there is no key/);
  await expect(start({ name: "a b" })).rejects.toThrow(/name/);
  await expect(start({ name: "a+b" })).rejects.toThrow(/name/);
  const first = await start();
  await first[Symbol.asyncDispose]();
  running.length = 0;
  await expect(start({ name: "witness.test/w2" })).rejects.toThrow(/is the key of witness\.test\/w1/);
});

test("a port that is taken is a sentence, not a stack", async () => {
  const first = await start();
  const port = Number(new URL(first.url).port);
  const place = join(folder.path, "other");
  await expect(start({ folder: place, address: { host: "127.0.0.1", port } })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});
