/** docs/hostile-input.md: every input of the list has a row, and every row names a proof that exists. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

const inputs = 92;
const root = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/hostile-input.md", root), "utf8");
const rows = [...page.matchAll(/^\| (\d+) \| .+ \| .+ \| (?:`(test\/\S+)`: (.+)|later: .+) \|$/gm)];

test("the list is whole and in order, and every line of it is a row", () => {
  const numbers = rows.map(([, number]) => Number(number));
  expect([...new Set(numbers)]).toEqual(Array.from({ length: inputs }, (_, i) => i + 1));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(page.match(/^\| \d/gm)).toHaveLength(rows.length);
});

test.each(rows.flatMap(([, number, file, title]) => (file && title ? [[number, file, title] as const] : [])))(
  "input %s is proven by %s: %s",
  (_, file, title) => {
    expect(readFileSync(new URL(file, root), "utf8")).toContain(title);
  },
);
