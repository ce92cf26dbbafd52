/** Whether the heap grows while the service works at a steady pace: the line through the least heap of each span, in MB a minute. */
import { fileURLToPath } from "node:url";
import type { Service } from "./intake.ts";
import { peakMbOf } from "./process-usage.ts";

export const heapProbe = fileURLToPath(new URL("./heap-probe.ts", import.meta.url));

/** Within it a full collection happens; the least value is what it left. */
const spanMs = 20_000;
const warmUpMs = 60_000;

export type Growth = { readonly mbPerMinute: number; readonly peakMb: number; readonly minutes: number };

export function growthOf({ lastro }: Service): Growth {
  const samples = lastro
    .output()
    .split("\n")
    .filter((line) => line.startsWith("bench-heap "))
    .map((line) => JSON.parse(line.slice("bench-heap ".length)) as readonly [atMs: number, bytes: number]);
  const begunMs = (samples[0]?.[0] ?? 0) + warmUpMs;
  const least = new Map<number, number>();
  for (const [atMs, bytes] of samples) {
    if (atMs < begunMs) continue;
    const span = Math.floor((atMs - begunMs) / spanMs);
    least.set(span, Math.min(bytes, least.get(span) ?? bytes));
  }
  const points = [...least].map(([span, bytes]) => [(span * spanMs) / 60_000, bytes / 1e6] as const);
  return {
    mbPerMinute: slope(points),
    peakMb: peakMbOf(lastro.process.pid ?? 0),
    minutes: (least.size * spanMs) / 60_000,
  };
}

/** Least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const above = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return above / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}
