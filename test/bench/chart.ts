/** Line charts as SVG: one pair of axes, a line with a name for each series. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from "d3-scale";
import { element, picture, textOf } from "./svg.ts";

export type Point = readonly [x: number, y: number];
export type Series = { readonly name: string; readonly points: readonly Point[] };
export type Axis = {
  /** With its unit. */
  readonly label: string;
  readonly scale: "linear" | "log";
  /** Instead of round values. */
  readonly ticks?: readonly (readonly [value: number, text: string])[];
};
export type Chart = {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
};

const size = { width: 760, height: 420 };
const frame = { left: 76, right: 724, top: 68, bottom: 364 };
const ticksAbout = 6;
/** Told apart by those who see no red or green as well (Okabe and Ito). */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

type Scale = ScaleContinuousNumeric<number, number>;

/** A linear axis begins at 0; a logarithmic one between whole powers of ten, or at the first of its ticks. */
function scaleOf({ scale, ticks = [] }: Axis, values: readonly number[], range: readonly number[]): Scale {
  const marked = [...values, ...ticks.map(([value]) => value)];
  const [least, most] = [Math.min(...marked), Math.max(...marked)];
  if (scale === "linear") return scaleLinear([0, most], range).nice(ticksAbout);
  const log = scaleLog([least, most], range);
  return ticks.length > 0 ? log : log.nice();
}

/** A logarithmic axis names some of its round values only. */
function ticksOf({ ticks }: Axis, scale: Scale): readonly (readonly [value: number, text: string])[] {
  if (ticks !== undefined) return ticks;
  const isNamed = scale.tickFormat(ticksAbout);
  const named = scale.ticks(ticksAbout).filter((value) => isNamed(value) !== "");
  return named.map((value) => [value, value.toLocaleString("en")] as const);
}

const line = (x1: number, y1: number, x2: number, y2: number, stroke: string): string =>
  element("line", { x1, y1, x2, y2, stroke });

function xAxis(axis: Axis, scale: Scale): readonly string[] {
  const middle = (frame.left + frame.right) / 2;
  return [
    ...ticksOf(axis, scale).flatMap(([value, text]) => [
      line(scale(value), frame.top, scale(value), frame.bottom, "#ddd"),
      textOf(text, { x: scale(value), y: frame.bottom + 18, "text-anchor": "middle" }),
    ]),
    line(frame.left, frame.bottom, frame.right, frame.bottom, "#444"),
    textOf(axis.label, { x: middle, y: frame.bottom + 42, "text-anchor": "middle" }),
  ];
}

function yAxis(axis: Axis, scale: Scale): readonly string[] {
  const middle = (frame.top + frame.bottom) / 2;
  return [
    ...ticksOf(axis, scale).flatMap(([value, text]) => [
      line(frame.left, scale(value), frame.right, scale(value), "#ddd"),
      textOf(text, { x: frame.left - 8, y: scale(value) + 4, "text-anchor": "end" }),
    ]),
    line(frame.left, frame.top, frame.left, frame.bottom, "#444"),
    textOf(axis.label, { transform: `translate(16 ${middle}) rotate(-90)`, "text-anchor": "middle" }),
  ];
}

function drawn({ points }: Series, colour: string, x: Scale, y: Scale): readonly string[] {
  const places = points.map(([one, other]) => [x(one), y(other)] as const);
  const path = places.map((place) => place.map((at) => at.toFixed(1)).join(" ")).join(" L ");
  return [
    element("path", { d: `M ${path}`, fill: "none", stroke: colour, "stroke-width": 2 }),
    ...places.map(([cx, cy]) => element("circle", { cx, cy, r: 3, fill: colour })),
  ];
}

function legend(series: readonly Series[], colour: (at: number) => string): readonly string[] {
  const width = (frame.right - frame.left) / series.length;
  return series.flatMap(({ name }, at) => {
    const left = frame.left + at * width;
    return [
      element("rect", { x: left, y: 42, width: 14, height: 4, fill: colour(at) }),
      textOf(name, { x: left + 20, y: 48 }),
    ];
  });
}

export function lineChart({ title, x, y, series }: Chart): string {
  const points = series.flatMap((one) => one.points);
  if (points.length === 0) throw new Error(`nothing was measured for the plot "${title}"`);
  const across = scaleOf(x, points.map(([value]) => value), [frame.left, frame.right]); // biome-ignore format: one line
  const up = scaleOf(y, points.map(([, value]) => value), [frame.bottom, frame.top]); // biome-ignore format: one line
  const colour = (at: number): string => colours[at % colours.length] ?? "";
  return picture(
    { title, ...size },
    ...xAxis(x, across),
    ...yAxis(y, up),
    ...legend(series, colour),
    ...series.flatMap((one, at) => drawn(one, colour(at), across, up)),
  );
}
