import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openCheckpointSigner } from "../../../src/adapters/files/checkpoint-signer.ts";
import { parseVerifierKey } from "../../../src/core/signed-note.ts";
import { sha256 } from "../../../src/lib/sha256.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lastro-signer-"));
  path = join(folder, "log-key.json");
});
afterEach(() => rm(folder, { recursive: true }));

const origin = "log.example.org/0123456789abcdef";
const open = async (create = false) =>
  (await openCheckpointSigner({ path, create, random: randomBytes }))(origin);
const seed = Buffer.alloc(32, 7).toString("base64url");
const root = new Uint8Array(32);

test("the signing key is made with mode 0600, and so is the memory beside it", async () => {
  const signer = await open(true);
  expect(await readdir(folder)).toEqual(["log-key.json"]);
  await signer.sign({ origin, size: 1, root }, signer.vkeys);
  expect(await readdir(folder)).toEqual(["log-key.json", "log-key.state.json"]);
  for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
});

test("the public key is the one of RFC 8032 for that seed", async () => {
  const vector = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const keys = [Buffer.from(vector, "hex").toString("base64url")];
  await writeFile(path, JSON.stringify({ v: 1, keys }), { mode: 0o600 });
  const key = parseVerifierKey(sha256, (await open()).vkeys[0] ?? "");
  expect(Buffer.from(key?.publicKey ?? []).toString("hex")).toBe(
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
  );
});

test("processes that make the key at once all use one", async () => {
  const signers = await Promise.all(Array.from({ length: 8 }, () => open(true)));
  expect(new Set(signers.flatMap(({ vkeys }) => vkeys)).size).toBe(1);
});

test("a missing key is not made for a store that has a log, and says what to do", async () => {
  await expect(open()).rejects.toMatchObject({
    code: "KEY_MISSING",
    message: expect.stringContaining("LASTRO_LOG=off"),
  });
  expect(await readdir(folder)).toEqual([]);
});

test("a key that others may read is refused with the command that mends it", async () => {
  await open(true);
  await chmod(path, 0o640);
  await expect(open()).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("chmod 600"),
  });
});

test.each([
  ["no JSON", "{"],
  ["another version", JSON.stringify({ v: 2, keys: [seed] })],
  ["no key", JSON.stringify({ v: 1, keys: [] })],
  ["three keys", JSON.stringify({ v: 1, keys: [seed, seed, seed] })],
  ["a short key", JSON.stringify({ v: 1, keys: [seed.slice(2)] })],
  ["a member nobody knows", JSON.stringify({ v: 1, keys: [seed], next: 1 })],
])("a key file with %s is refused without quoting it", async (_, text) => {
  await writeFile(path, text, { mode: 0o600 });
  const error = await open().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(path) });
  expect(String(error)).not.toContain(seed.slice(2));
});

test("a memory that cannot be read stops the signer: it never signs as if it had signed nothing", async () => {
  const signer = await open(true);
  await signer.sign({ origin, size: 1, root }, signer.vkeys);
  const memory = join(folder, "log-key.state.json");
  await writeFile(memory, (await readFile(memory, "utf8")).slice(0, 20));
  await expect(signer.sign({ origin, size: 2, root }, signer.vkeys)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

test("a key taken in while the service runs is seen by the next signer", async () => {
  const signerOf = await openCheckpointSigner({ path, create: true, random: randomBytes });
  const [old] = (await signerOf(origin)).vkeys;
  const { keys } = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ v: 1, keys: [...keys, seed] }));
  expect((await signerOf(origin)).vkeys).toEqual([old, expect.stringContaining(origin)]);
});
