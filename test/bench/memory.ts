/** Whether the heaps grow while the service works at a steady pace: the line through what each full collection left, of all threads, in MB a minute. */
import { fileURLToPath } from "node:url";
import { type Service, sum } from "./intake.ts";
import { peakMbOf } from "./process-usage.ts";

export const heapProbe = fileURLToPath(new URL("./heap-probe.ts", import.meta.url));

const warmUpMs = 60_000;

export type Growth = { readonly mbPerMinute: number; readonly peakMb: number; readonly minutes: number };

export function growthOf({ lastro }: Service): Growth {
  const samples = lastro
    .output()
    .split("\n")
    .filter((line) => line.startsWith("bench-heap "))
    .map((line) => JSON.parse(line.slice("bench-heap ".length)) as readonly [number, number, number])
    .map(([thread, atMs, bytes]) => ({ thread, minute: atMs / 60_000, mb: bytes / 1e6 }));
  const begun = Math.min(...samples.map(({ minute }) => minute)) + warmUpMs / 60_000;
  const steady = samples.filter(({ minute }) => minute >= begun);
  const threads = [...Map.groupBy(steady, ({ thread }) => thread).values()];
  return {
    mbPerMinute: sum(threads.map((points) => slope(points.map(({ minute, mb }) => [minute, mb])))),
    peakMb: peakMbOf(lastro.process.pid ?? 0),
    minutes: Math.max(...steady.map(({ minute }) => minute)) - begun,
  };
}

/** Least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const above = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return above / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}
