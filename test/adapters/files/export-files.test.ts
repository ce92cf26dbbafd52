import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { exportFiles } from "../../../src/adapters/files/export-files.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

test("what lies in the folder is listed with when it was changed last, until it is removed", async () => {
  using place = temporaryFolder();
  const files = exportFiles(place.path, randomBytes);
  for (const name of ["one", "two"]) await files.create(name);
  utimesSync(join(place.path, "one"), 7, 7);
  const changedAt = async () => new Map((await files.list()).map((one) => [one.name, one.changedAtMs]));
  expect((await changedAt()).get("one")).toBe(7_000);
  await files.put("one", "part", Buffer.from("x"));
  expect((await changedAt()).get("one")).toBeGreaterThan(7_000);
  await files.remove("one");
  expect([...(await changedAt()).keys()]).toEqual(["two"]);
});

test("nothing lies in a folder that is not there yet", async () => {
  using place = temporaryFolder();
  expect(await exportFiles(join(place.path, "exports"), randomBytes).list()).toEqual([]);
});

test("a link is removed, and not what it leads to", async () => {
  using place = temporaryFolder();
  const files = exportFiles(place.path, randomBytes);
  mkdirSync(join(place.path, "target"));
  symlinkSync(join(place.path, "target"), join(place.path, "link"));
  await files.remove("link");
  expect((await files.list()).map(({ name }) => name)).toEqual(["target"]);
});

test("processes that put the same part at once all do, whole, and one that cannot leaves nothing of it", async () => {
  using place = temporaryFolder();
  const [one, other] = [exportFiles(place.path, randomBytes), exportFiles(place.path, randomBytes)];
  await one.create("x");
  const bytes = randomBytes(1024 * 1024);
  await Promise.all([one, other, one, other].map((files) => files.put("x", "part", bytes)));
  expect(bytes.equals((await one.part("x", "part")) ?? Buffer.alloc(0))).toBe(true);
  mkdirSync(join(place.path, "x", "taken"));
  await expect(one.put("x", "taken", bytes)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(readdirSync(join(place.path, "x")).toSorted()).toEqual(["part", "taken"]);
});

test("an export is tidied of the parts that are not kept", async () => {
  using place = temporaryFolder();
  const files = exportFiles(place.path, randomBytes);
  await files.create("x");
  for (const part of ["a", "b", "c"]) await files.put("x", part, Buffer.from(part));
  await files.tidy("x", (part) => part === "b");
  expect(readdirSync(join(place.path, "x"))).toEqual(["b"]);
  await files.tidy("absent", () => false);
});
