/** A flame graph as SVG: each function a bar as wide as the time spent in it and below, callers under those they call. */
import type { Call } from "./cpu-profile.ts";
import { element, picture, textOf, titleOf } from "./svg.ts";

const width = 1_200;
const [top, rowHeight, side] = [44, 16, 8];
/** What is narrower, or higher up, is left out: it counts in the bar below. */
const pixelsMin = 2;
const depthMax = 50;
const pixelsPerCharacter = 6.4;

type Bar = {
  readonly name: string;
  readonly place: string;
  readonly totalUs: number;
  readonly depth: number;
  readonly fromUs: number;
};

/** Calls of the same function by the same caller are one bar. */
type Merged = {
  readonly name: string;
  readonly place: string;
  readonly totalUs: number;
  readonly children: readonly Merged[];
};

/** Without the machine's folders. */
const placeOf = ({ frame: { url, lineNumber } }: Call): string =>
  url === "" ? "" : `${url.replace(/^.*\/(?=(src|test|node_modules)\/)/, "")}:${lineNumber + 1}`;

const nameOf = ({ frame }: Call): string => frame.functionName || "(anonymous)";

function merged(calls: readonly Call[]): readonly Merged[] {
  const same = Map.groupBy(calls, (call) => `${nameOf(call)} ${placeOf(call)}`);
  return [...same.values()].map((all) => {
    const children = merged(all.flatMap((call) => call.children));
    const own = all.reduce((sum, call) => sum + call.selfUs, 0);
    const [one] = all as [Call];
    const totalUs = own + children.reduce((sum, child) => sum + child.totalUs, 0);
    return { name: nameOf(one), place: placeOf(one), totalUs, children };
  });
}

function barsOf(calls: readonly Merged[], depth: number, fromUs: number, usMin: number): readonly Bar[] {
  const bars: Bar[] = [];
  if (depth === depthMax) return bars;
  let at = fromUs;
  for (const { children, ...call } of calls.toSorted((a, b) => b.totalUs - a.totalUs)) {
    if (call.totalUs < usMin) break;
    bars.push({ ...call, depth, fromUs: at }, ...barsOf(children, depth + 1, at, usMin));
    at += call.totalUs;
  }
  return bars;
}

const colourOf = (place: string): string => {
  if (place.startsWith("src/")) return "#f4a261";
  if (place.startsWith("node_modules/")) return "#8ecae6";
  return "#d5d5d5";
};

const legend =
  "orange: Lastro, blue: libraries, grey: Node and V8; rest the pointer on a bar for its time and file";

export function flameGraph(title: string, root: Call): string {
  const calls = merged(root.children);
  const totalUs = calls.reduce((sum, call) => sum + call.totalUs, 0);
  if (totalUs === 0) throw new Error("nothing was sampled");
  const scale = (width - 2 * side) / totalUs;
  const bars = barsOf(calls, 0, 0, pixelsMin / scale);
  const depth = Math.max(...bars.map((bar) => bar.depth)) + 1;
  const height = top + depth * rowHeight + 32;
  const drawn = bars.map(({ name, place, totalUs: us, fromUs, depth: row }) => {
    const [x, y, wide] = [side + fromUs * scale, top + (depth - 1 - row) * rowHeight, us * scale];
    const about = `${name} ${place}: ${(us / 1_000).toFixed(0)} ms, ${((100 * us) / totalUs).toFixed(1)} %`;
    const fits = Math.floor((wide - 6) / pixelsPerCharacter);
    return element(
      "g",
      {},
      titleOf(about),
      element("rect", { x, y, width: wide, height: rowHeight - 1, fill: colourOf(place) }),
      ...(fits >= 3 ? [textOf(name.slice(0, fits), { x: x + 3, y: y + 12, "font-size": 11 })] : []),
    );
  });
  return picture({ title, width, height }, ...drawn, textOf(legend, { x: side, y: height - 12 }));
}
