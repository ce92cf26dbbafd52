import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { readSvg } from "./read-svg.ts";
import { withMeasured, withPlots } from "./section.ts";

const page =
  "# Page\n\n<!-- measured: one -->\n\nold\n\n<!-- measured: end -->\n\nsaid\n\n<!-- measured: two -->\n<!-- measured: end -->\nlast\n";

const folder = new URL("../../docs/", import.meta.url);
const measuredPage = (): string => readFileSync(new URL("performance.md", folder), "utf8");

test("a part's figures replace those between its marks and nothing else", () => {
  expect(withMeasured(page, "one", "new")).toBe(page.replace("old", "new"));
  expect(withMeasured(page, "two", "new")).toContain(
    "old\n\n<!-- measured: end -->\n\nsaid\n\n<!-- measured: two -->\n\nnew\n\n<!-- measured: end -->\nlast\n",
  );
});

test("a part that has no place on the page is an error", () => {
  expect(() => withMeasured(page, "three", "new")).toThrow("no place for three");
});

test("a part whose place holds another's is an error: its figures would take that away", () => {
  const nested = page.replace("old", "<!-- measured: three --> <!-- measured: end -->");
  expect(() => withMeasured(nested, "one", "new")).toThrow("no place for one");
});

test("the page has a place for each part of the bench", () => {
  const docs = measuredPage();
  const program = readFileSync(new URL("main.ts", import.meta.url), "utf8");
  const parts = [...program.matchAll(/^ {2}(\w+): \w+Section,$/gm)].map(([, part = ""]) => part);
  expect(parts.length).toBeGreaterThan(5);
  for (const part of parts) expect(withMeasured(docs, part, "figures")).toContain(`${part} -->\n\nfigures`);
});

test("plots stand below the text of their part", () => {
  expect(withPlots({ text: "text", plots: { "one-line": "<svg/>" } })).toBe(
    "text\n\n![one line](plots/one-line.svg)",
  );
});

test("the page shows every plot there is, and each is well-formed", () => {
  const shown = [...measuredPage().matchAll(/\]\((plots\/[\w-]+\.svg)\)/g)].map(([, path]) => path);
  expect(shown.toSorted()).toEqual(globSync("plots/*.svg", { cwd: fileURLToPath(folder) }).toSorted());
  for (const path of shown)
    expect(readSvg(readFileSync(new URL(path ?? "", folder), "utf8"))[0]?.name).toBe("svg");
});
