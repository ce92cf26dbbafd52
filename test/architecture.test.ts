import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const root = new URL("../", import.meta.url);
const cwd = fileURLToPath(root);
const map = readFileSync(new URL("ARCHITECTURE.md", root), "utf8");
const sources = globSync("src/**/*.ts", { cwd }).filter((path) => !path.startsWith("src/gen/"));
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

test("the map names every folder of src", () => {
  const folders = readdirSync(new URL("src/", root), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => `src/${name}`).filter((path) => !map.includes(`\`${path}\``))).toEqual([]);
});

test("every path the map names exists", () => {
  const paths = [...map.matchAll(/`((?:src|test|docs|deploy|proto)(?:\/[\w./-]+)?)`/g)].map(
    ([, path]) => path ?? "",
  );
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
});

test("the map is short", () => {
  expect(map.split("\n").length).toBeLessThanOrEqual(150);
});

test("time, randomness and the environment are read in the composition root alone", () => {
  const roots = new Set([
    "src/app.ts",
    "src/log-thread.ts",
    "src/main.ts",
    "src/config.ts",
    "src/cli/main.ts",
    "src/demo/main.ts",
  ]);
  const banned =
    /\bDate\.now\b|\btimeOrigin\b|\bnew Date\(\)|\bMath\.random\b|\brandomUUID\b|\bprocess\.env\b/;
  expect(sources.filter((path) => !roots.has(path) && banned.test(textOf(path)))).toEqual([]);
});

test("every source file says in its first line what it is, and none is longer than 400 lines", () => {
  expect(sources.filter((path) => !/^\/\*\*(?: .+ \*\/)?$/m.test(textOf(path).split("\n")[0] ?? ""))).toEqual(
    [],
  );
  expect(sources.filter((path) => textOf(path).split("\n").length > 400)).toEqual([]);
});
