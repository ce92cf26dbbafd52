/** docs/search.md says what the code does: its examples parse, its fields and limits are the code's. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import {
  filterBytesMax,
  filterDepthMax,
  filterNodesMax,
  filterTermsMax,
  operatorsOf,
  parseFilter,
  textWordsMax,
} from "../src/core/filter.ts";
import { entityIdTermsMax, recordTermsMax, searchedByDefault } from "../src/core/record-terms.ts";
import { type FieldForm, searchFields } from "../src/core/search-fields.ts";
import { orderFields } from "../src/core/search-walk.ts";
import { termCharactersMax, textCharactersMax } from "../src/core/terms.ts";
import { scanRowsMax } from "../src/query/search-page.ts";

const page = readFileSync("docs/search.md", "utf8");
const paths = new Set(["/payload/plan"]);

const examples = /```filter\n(.*?)```/s.exec(page)?.[1]?.trim().split("\n") ?? [];

test("R-23 every example of docs/search.md is a filter, and together they use each operator and each joint", () => {
  expect(examples.length).toBeGreaterThan(5);
  for (const example of examples) expect(parseFilter(example, paths)).toBeDefined();
  for (const piece of ["=", "!=", "<", ">=", ":", "AND", "OR", "NOT", "-", "(", '*"', ":*"])
    expect(examples.join("\n")).toContain(piece);
});

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(" ");
function valuesOf(form: FieldForm): string {
  switch (form.type) {
    case "text":
      return "text";
    case "terms":
      return "words";
    case "number":
      return "whole number";
    case "time":
      return "RFC 3339 time with its zone";
    case "boolean":
      return code(["true", "false"]);
    case "word":
    case "words":
    case "level":
      return code(form.words);
  }
}

test("R-23 the table of fields in docs/search.md is the code's", () => {
  const rows = Object.entries<FieldForm>(searchFields).map(
    ([name, form]) => `| \`${name}\` | ${valuesOf(form)} | ${code(operatorsOf[form.type])} |`,
  );
  expect(page).toContain(
    `|---|---|---|\n${rows.join("\n")}\n| a path that the catalogue indexes | text | ${code(operatorsOf.text)} |\n\n`,
  );
});

test("the limits and orders in docs/search.md are the code's", () => {
  const shown = (limit: number): string => limit.toLocaleString("en-US");
  for (const row of [
    `| length | ${shown(filterBytesMax)} bytes |`,
    `| conditions | ${filterTermsMax} |`,
    `| conditions, parentheses and negations | ${filterNodesMax} |`,
    `| words of one condition on \`text\` | ${textWordsMax} |`,
    `| parentheses inside each other | ${filterDepthMax} |`,
    `| records looked at for a page | ${shown(scanRowsMax)} |`,
  ])
    expect(page).toContain(row);
  for (const field of orderFields) expect(page).toContain(`\`${field}\``);
});

test("R-65 what docs/search.md says of full text is the code's", () => {
  expect(page).toContain(searchedByDefault.map((pointer) => `\`${pointer}\``).join(", "));
  expect(page).toContain(
    `Of a text the first ${textCharactersMax.toLocaleString("en-US")} characters count, of a word the first ${termCharactersMax}, of a record the first ${recordTermsMax} different words.`,
  );
  expect(page).toContain(`of its entity id, where that has at most ${entityIdTermsMax};`);
});
