/** Comma-separated values: no formula, and the same again when read. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { csvLine } from "../../src/core/csv.ts";

test.each(['=HYPERLINK("http://x")', "+1", "-1", "@x", "\t=1", "\r=1"])(
  "R-64 row 68 %j is text with an apostrophe in front",
  (text) => {
    expect(parse(csvLine([text]))).toEqual([[`'${text}`]]);
  },
);

test("R-64 row 68 numbers stay numbers, and what is absent stays empty", () => {
  expect(csvLine([-1, true, undefined, "a"])).toBe("-1,true,,a\r\n");
});

test("R-64 row 69 quotation marks, commas, semicolons and ends of lines are read back as they were", () => {
  const text = fc
    .string({ unit: fc.constantFrom('"', ",", ";", "\n", "\r", "a", "ã", "'", "=") })
    .filter((one) => !/^[=+\-@\t\r]/.test(one));
  const rows = fc.array(fc.array(text, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(rows, (cells) => expect(parse(cells.map(csvLine).join(""))).toEqual(cells)));
});

/** A reader by the grammar of RFC 4180. */
function parse(csv: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain = "", end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
