import { mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { exportFiles } from "../../../src/adapters/files/export-files.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

test("what lies in the folder is listed with when it was changed last, until it is removed", async () => {
  using place = temporaryFolder();
  const files = exportFiles(place.path);
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
  expect(await exportFiles(join(place.path, "exports")).list()).toEqual([]);
});

test("a link is removed, and not what it leads to", async () => {
  using place = temporaryFolder();
  const files = exportFiles(place.path);
  mkdirSync(join(place.path, "target"));
  symlinkSync(join(place.path, "target"), join(place.path, "link"));
  await files.remove("link");
  expect((await files.list()).map(({ name }) => name)).toEqual(["target"]);
});
