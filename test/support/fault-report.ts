/** What each fault did, measured: one line a run in the file that LASTRO_TEST_FAULT_RUNS names, and the table that they make. */
import { appendFileSync } from "node:fs";
import { spread, table } from "../bench/report.ts";

export type FaultRun = {
  /** What was done, in a few words: rows of the table are by it and by the store. */
  readonly fault: string;
  readonly store: "sqlite" | "mongodb";
  /** Published, copies and bad data included. */
  readonly events: number;
  readonly stored: number;
  readonly doubled: number;
  readonly lost: number;
  /** Streams and partitions that have a hole, or stand in the wrong order. */
  readonly holes: number;
  /** From the end of the fault until every offset had its outcome. */
  readonly recoveryMs?: number | undefined;
  /** Anything else worth telling; of several runs the last is shown. */
  readonly note?: string | undefined;
};

/** Costs nothing where nobody collects. */
export function recordRun(run: FaultRun): void {
  const file = process.env["LASTRO_TEST_FAULT_RUNS"];
  if (file) appendFileSync(file, `${JSON.stringify(run)}\n`);
}

export const readRuns = (text: string): readonly FaultRun[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as FaultRun);

const head = ["fault", "store", "rounds", "events", "stored", "lost", "doubled", "holes"] as const;
const recovery = "seconds to recover: median (least – most)";

/** In the order in which the faults were first seen, and a row for all of them. */
export function faultTable(runs: readonly FaultRun[]): string {
  const groups = Map.groupBy(runs, ({ fault, store }) => `${store} ${fault}`);
  const rows = [...groups.values()].map((group) => {
    const [{ fault, store } = { fault: "", store: "" }] = group;
    return [fault, store, ...figures(group)];
  });
  return table([...head, recovery, "also"], [...rows, ["**all**", "", ...figures(runs).slice(0, -1), ""]]);
}

function figures(runs: readonly FaultRun[]): readonly string[] {
  const sum = (figure: "events" | "stored" | "doubled" | "lost" | "holes"): string =>
    runs.reduce((total, run) => total + run[figure], 0).toLocaleString("en-US");
  const seconds = runs.flatMap(({ recoveryMs }) => (recoveryMs === undefined ? [] : [recoveryMs / 1_000]));
  return [
    String(runs.length),
    ...(["events", "stored", "lost", "doubled", "holes"] as const).map(sum),
    seconds.length === 0 ? "" : spread(seconds, 1),
    runs.at(-1)?.note ?? "",
  ];
}
