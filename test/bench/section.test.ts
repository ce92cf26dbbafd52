import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { withMeasured } from "./section.ts";

const page =
  "# Page\n\n<!-- measured: one -->\n\nold\n\n<!-- measured: end -->\n\nsaid\n\n<!-- measured: two -->\n<!-- measured: end -->\nlast\n";

test("a part's figures replace those between its marks and nothing else", () => {
  expect(withMeasured(page, "one", "new")).toBe(page.replace("old", "new"));
  expect(withMeasured(page, "two", "new")).toContain(
    "old\n\n<!-- measured: end -->\n\nsaid\n\n<!-- measured: two -->\n\nnew\n\n<!-- measured: end -->\nlast\n",
  );
});

test("a part that has no place on the page is an error", () => {
  expect(() => withMeasured(page, "three", "new")).toThrow("no place for three");
});

test("the page has a place for each part of the bench", () => {
  const docs = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");
  const program = readFileSync(new URL("main.ts", import.meta.url), "utf8");
  const parts = [...program.matchAll(/^ {2}(\w+): \w+Section,$/gm)].map(([, part = ""]) => part);
  expect(parts.length).toBeGreaterThan(5);
  for (const part of parts) expect(withMeasured(docs, part, "figures")).toContain(`${part} -->\n\nfigures`);
});
