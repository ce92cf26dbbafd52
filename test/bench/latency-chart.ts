/** A distribution of latencies as a plot: how slow the slowest half, tenth, hundredth … of the calls was. */
import { lineChart, type Point } from "./chart.ts";
import { quantile } from "./report.ts";

/** One of so many calls is slower; so few of them tell nothing. */
const slowerOf = [2, 4, 10, 20, 40, 100, 200, 400, 1_000, 2_000, 4_000, 10_000, 100_000];
const slowerMin = 5;

const marks = [
  [2, "50 %"],
  [10, "90 %"],
  [100, "99 %"],
  [1_000, "99.9 %"],
  [10_000, "99.99 %"],
  [100_000, "99.999 %"],
] as const;

/** Of values in ascending order; a value of 0 is shown as `leastMs`. */
export const tailOf = (sorted: readonly number[], leastMs: number): readonly Point[] =>
  slowerOf
    .filter((share) => sorted.length / share >= slowerMin)
    .map((share) => [share, Math.max(leastMs, quantile(sorted, 1 - 1 / share))]);

export type Latencies = {
  readonly name: string;
  /** Milliseconds, ascending. */
  readonly sorted: readonly number[];
};

export function latencyChart(title: string, all: readonly Latencies[], leastMs: number): string {
  const series = all.map(({ name, sorted }) => ({ name, points: tailOf(sorted, leastMs) }));
  const most = Math.max(...series.flatMap(({ points }) => points.map(([share]) => share)));
  return lineChart({
    title,
    x: { label: "share that was faster", scale: "log", ticks: marks.filter(([share]) => share <= most) },
    y: { label: "latency, ms", scale: "log" },
    series,
  }); // biome-ignore format: an axis a line
}
