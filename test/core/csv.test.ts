import { expect, test } from "@jest/globals";
import { csvLine } from "../../src/core/csv.ts";

test.each([`=HYPERLINK("http://x")`, "+1", "-1", "@x", "\t=", "\r="])(
  "a cell that a spreadsheet would compute gets an apostrophe: %j",
  (text) => {
    expect(read(csvLine([text]))).toEqual([[`'${text}`]]);
  },
);

test("numbers are written as numbers, negative ones too", () => {
  expect(csvLine([-1, 0, 9_007_199_254_740_991])).toBe("-1,0,9007199254740991\r\n");
});

test("quotation marks, commas, line ends and semicolons come back as they were", () => {
  const cells = ['","\n"', ";", 'say "no"', "a,b", "line\r\nline", "", "plain", " =1"];
  expect(read(csvLine(cells) + csvLine(cells))).toEqual([cells, cells]);
});

/** RFC 4180, read by the letter of its grammar. */
function read(text: string): readonly (readonly string[])[] {
  const records: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const found = field.exec(text);
    if (found === null) throw new Error(`no CSV at ${field.lastIndex}`);
    const [, quoted, plain = "", end] = found;
    records.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\r\n" && field.lastIndex < text.length) records.push([]);
  }
  return records;
}
