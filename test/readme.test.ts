import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { readmeUrl, withConfigTable } from "./support/config-table.ts";

const root = new URL("../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");
const readme = readFileSync(readmeUrl, "utf8");
const scripts: Record<string, string> = JSON.parse(textOf("package.json")).scripts;

test("the README's configuration table is the one the schema gives", () => {
  expect(withConfigTable(readme)).toBe(readme);
});

test.each(["README.md", "CONTRIBUTING.md"])("every npm command of %s exists", (page) => {
  const commands = [...textOf(page).matchAll(/\bnpm (?:run )?([a-z][a-z:]*)/g)].map(([, name]) => name ?? "");
  expect(commands).toEqual(expect.arrayContaining(["start", "test"]));
  expect(commands.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

const rows = [
  ...textOf("docs/requirements.md").matchAll(/^\| (R-\d\d) \| .* \| (?:`(.+?)`: (.+?)|later.*?) \|$/gm),
];

test("docs/requirements.md has a row for each requirement of the service", () => {
  const numbers = [
    ...Array.from({ length: 14 }, (_, i) => i + 1),
    20,
    21,
    22,
    23,
    24,
    25,
    52,
    60,
    61,
    62,
    63,
    64,
    65,
    66,
    67,
    68,
    69,
    70,
    71,
    72,
    80,
    81,
    84,
    85,
    87,
  ];
  const named = numbers.map((number) => `R-${String(number).padStart(2, "0")}`);
  expect(new Set(rows.map(([, number]) => number))).toEqual(new Set(named));
});

test.each(rows.flatMap(([, number, file, title]) => (file && title ? [[number, file, title] as const] : [])))(
  "%s is proven by a test that exists: %s",
  (number, file, title) => {
    expect(title).toMatch(new RegExp(`^(?:R-\\d\\d )*${number} `));
    expect(textOf(file)).toContain(title);
  },
);
