import { expect, test } from "@jest/globals";
import { type Chart, lineChart } from "./chart.ts";
import { readSvg } from "./read-svg.ts";

const chart: Chart = {
  title: "Rate & <size>",
  x: { label: "records, millions", scale: "linear" },
  y: { label: "events/s", scale: "linear" },
  series: [
    { name: "service", points: [[1, 100], [2, 50]] },
    { name: "bare", points: [[1, 400], [4, 300]] },
  ],
}; // biome-ignore format: points

const placesOf = (svg: string): readonly (readonly [x: number, y: number])[] =>
  readSvg(svg)
    .filter(({ name }) => name === "circle")
    .map(({ attributes }) => [Number(attributes["cx"]), Number(attributes["cy"])]);

test("a chart is well-formed XML that says its title, axes with units and series", () => {
  const texts = readSvg(lineChart(chart)).flatMap(({ text }) => text || []);
  expect(texts).toEqual(
    expect.arrayContaining(["Rate & <size>", "records, millions", "events/s", "service", "bare"]),
  );
});

test("points lie where the ticks of their values are", () => {
  const elements = readSvg(lineChart(chart));
  const tickOf = (text: string, anchor: string) =>
    elements.find((one) => one.text === text && one.attributes["text-anchor"] === anchor)?.attributes;
  const [[x100, y100] = [], , [, y400] = []] = placesOf(lineChart(chart));
  expect(x100).toBeCloseTo(Number(tickOf("1", "middle")?.["x"]));
  expect(y100).toBeCloseTo(Number(tickOf("100", "end")?.["y"]) - 4);
  expect(y400).toBeCloseTo(Number(tickOf("400", "end")?.["y"]) - 4);
});

test("ticks are written out as people write numbers", () => {
  const points = [[0, 0], [3_000, 12_000]] as const; // biome-ignore format: points
  const texts = readSvg(lineChart({ ...chart, series: [{ name: "one", points }] })).map(({ text }) => text);
  expect(texts).toEqual(expect.arrayContaining(["0", "500", "3,000", "12,000"]));
});

test("a linear axis begins at 0, so that heights compare", () => {
  const [[, y100 = 0] = [], [, y50 = 0] = [], [, y400 = 0] = []] = placesOf(lineChart(chart));
  expect((y50 - y400) / (y50 - y100)).toBeCloseTo(350 / 50, 0);
});

test("on a logarithmic axis equal factors are equal distances", () => {
  const points = [[1, 1], [2, 10], [3, 100]] as const; // biome-ignore format: points
  const svg = lineChart({ ...chart, y: { label: "ms", scale: "log" }, series: [{ name: "one", points }] });
  const [[, y1 = 0] = [], [, y10 = 0] = [], [, y100 = 0] = []] = placesOf(svg);
  expect(y1 - y10).toBeCloseTo(y10 - y100, 0);
  expect(y1 - y10).toBeGreaterThan(50);
});

test("nothing measured is an error, not an empty plot", () => {
  expect(() => lineChart({ ...chart, series: [] })).toThrow("nothing was measured");
});
