import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { intakePoints } from "../src/ports/observer.ts";
import { storePoints } from "./support/die-at.ts";
import { type FaultRun, faultTable } from "./support/fault-report.ts";

const page = readFileSync(new URL("../docs/reliability.md", import.meta.url), "utf8");

test("docs/reliability.md names every fault test and every point of death", () => {
  const files = readdirSync(new URL("faults/", import.meta.url)).map((file) => file.replace(".test.ts", ""));
  expect(files.length).toBeGreaterThan(15);
  const names = [...files, ...intakePoints, ...storePoints];
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("rounds of a fault on a store make one row, and all rows a sum", () => {
  const run: FaultRun = {
    fault: "death",
    store: "sqlite",
    events: 10,
    stored: 9,
    doubled: 0,
    lost: 1,
    holes: 0,
    recoveryMs: 2_000,
  };
  const rows = faultTable([run, { ...run, recoveryMs: 4_000 }, { ...run, store: "mongodb", note: "slow" }])
    .split("\n")
    .slice(2);
  expect(rows).toEqual([
    "| death | sqlite | 2 | 20 | 18 | 2 | 0 | 0 | 4.0 (2.0 – 4.0) |  |",
    "| death | mongodb | 1 | 10 | 9 | 1 | 0 | 0 | 2.0 (2.0 – 2.0) | slow |",
    "| **all** |  | 3 | 30 | 27 | 3 | 0 | 0 | 2.0 (2.0 – 4.0) |  |",
  ]);
});
