import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const folder = new URL("./", import.meta.url);
const page = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");
const sources = globSync("*.ts", { cwd: fileURLToPath(folder) })
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => readFileSync(new URL(file, folder), "utf8"))
  .join("\n");

const sorted = (names: Iterable<string>): readonly string[] => [...new Set(names)].toSorted();

test("the page tells of every setting of the bench, with the value it has by default", () => {
  const told = new Map([...page.matchAll(/^\| `LASTRO_TEST_BENCH_(\w+)`\s*\| (\S.*?)\s*\|/gm)].map(([, name = "", preset = ""]) => [name, preset])); // biome-ignore format: one line
  const numbers = [...sources.matchAll(/benchSetting\("(\w+)", ([\d_]+)\)/g)];
  expect(numbers.length).toBeGreaterThan(5);
  for (const [, name = "", preset = ""] of numbers) expect(told.get(name)).toBe(preset.replaceAll("_", ""));
  const asked = [...sources.matchAll(/benchSetting\("(\w+)"|LASTRO_TEST_BENCH_([A-Z_]+)"/g)];
  expect(sorted(told.keys())).toEqual(sorted(asked.map(([, one, other]) => one ?? other ?? "")));
});

test("the page tells of every part of the bench", () => {
  const parts = [...sources.matchAll(/^ {2}(\w+): \w+Section,$/gm)].map(([, part = ""]) => part);
  const told = [...page.matchAll(/^\| `(\w+)`\s+\|.*\d min\s*\|$/gm)].map(([, part = ""]) => part);
  expect(told).toEqual(parts);
});
