import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openKeyRing } from "../../../src/adapters/files/key-ring.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lastro-keys-"));
  path = join(folder, "keys.json");
});
afterEach(() => rm(folder, { recursive: true }));

const open = (create = false) => openKeyRing({ path, create, random: randomBytes });
const kek = Buffer.alloc(32, 7).toString("base64url");

test("a key ring is made with mode 0600, whole, and with nothing beside it", async () => {
  const ring = await open(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(["keys.json"]);
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    v: 1,
    current: 1,
    keks: { "1": Buffer.from(ring.current().key).toString("base64url") },
  });
});

test("a key ring that is there is never replaced, even when told to make one", async () => {
  const first = await open(true);
  const before = await readFile(path);
  expect((await open(true)).current()).toEqual(first.current());
  expect(await readFile(path)).toEqual(before);
});

test("processes that make the ring at once all use one key", async () => {
  const rings = await Promise.all(Array.from({ length: 8 }, () => open(true)));
  const keys = new Set(rings.map((ring) => Buffer.from(ring.current().key).toString("hex")));
  expect(keys.size).toBe(1);
  expect(await readdir(folder)).toEqual(["keys.json"]);
});

test("a missing key ring is not made for a filled store, and says what to do", async () => {
  await expect(open()).rejects.toMatchObject({
    code: "KEY_MISSING",
    message: expect.stringContaining("restore the file"),
  });
  expect(await readdir(folder)).toEqual([]);
});

test.each([0o640, 0o604, 0o660, 0o644])(
  "a key ring that others may open (mode %o) is refused with the command that mends it",
  async (mode) => {
    await open(true);
    await chmod(path, mode);
    await expect(open()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("chmod 600"),
    });
  },
);

test.each([
  ["no JSON", "{"],
  ["another version", JSON.stringify({ v: 2, current: 1, keks: { "1": kek } })],
  ["no current key", JSON.stringify({ v: 1, current: 2, keks: { "1": kek } })],
  ["a short key", JSON.stringify({ v: 1, current: 1, keks: { "1": kek.slice(2) } })],
  ["padding", JSON.stringify({ v: 1, current: 1, keks: { "1": `${kek.slice(1)}=` } })],
  ["an epoch that is no number", JSON.stringify({ v: 1, current: 1, keks: { "1": kek, one: kek } })],
  ["a member nobody knows", JSON.stringify({ v: 1, current: 1, keks: { "1": kek }, next: 2 })],
  ["too many bytes", JSON.stringify({ v: 1, current: 1, keks: { "1": kek } }).padEnd(70_000)],
])("a key ring with %s is refused without quoting it", async (_what, text) => {
  await writeFile(path, text, { mode: 0o600 });
  const error = await open().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(path) });
  expect(String(error)).not.toContain(kek.slice(2));
});
