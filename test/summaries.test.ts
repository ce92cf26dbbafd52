/** docs/summaries.md says what the code does. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { blockEntries, cellFields, entriesOf } from "../src/core/summary-cells.ts";
import { tailEntriesMax } from "../src/query/count-cells.ts";
import { countedRowsMax } from "../src/query/count-records.ts";
import { groupFieldsMax, groupValuesDefault, groupValuesMax } from "../src/query/summarize.ts";

const page = readFileSync("docs/summaries.md", "utf8");
const shown = (limit: number): string => limit.toLocaleString("en-US");

test("R-64 the limits and the fields of cells in docs/summaries.md are the code's", () => {
  for (const text of [
    `up to ${groupFieldsMax} fields`,
    `(${groupValuesDefault}; at most ${shown(groupValuesMax)})`,
    `counts of each ${shown(blockEntries)} entries of the log, and of each ${shown(entriesOf(1))},`,
    `At most ${shown(tailEntriesMax)} entries behind the last block`,
    `at most ${shown(countedRowsMax)} of them`,
  ])
    expect(page).toContain(text);
  const names = cellFields.map((field) => `\`${field}\``);
  expect(page).toContain(`${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`);
});
