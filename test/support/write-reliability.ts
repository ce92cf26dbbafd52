/** Jest's global teardown of the long fault tests: writes what the runs measured into docs/reliability.md, in the section that LASTRO_TEST_FAULT_SECTION names. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { faultTable, readRuns } from "./fault-report.ts";

const page = new URL("../../docs/reliability.md", import.meta.url);

export default function writeReliability(): void {
  const file = process.env["LASTRO_TEST_FAULT_RUNS"];
  const section = process.env["LASTRO_TEST_FAULT_SECTION"] ?? "faults";
  if (!file) throw new Error("LASTRO_TEST_FAULT_RUNS names no file: run `npm run test:faults`");
  const runs = readRuns(readFileSync(file, "utf8"));
  rmSync(file);
  const machine = `Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model}`;
  const text = `Measured ${new Date().toISOString().slice(0, 10)}. ${machine}.\n\n${faultTable(runs)}`;
  const [begin, end] = [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`];
  const [before = "", rest = ""] = readFileSync(page, "utf8").split(begin);
  const after = rest.split(end)[1];
  if (after === undefined) throw new Error(`docs/reliability.md has no section ${begin}`);
  writeFileSync(page, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}
