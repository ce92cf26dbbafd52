import { expect, test } from "@jest/globals";
import type { Call } from "./cpu-profile.ts";
import { flameGraph } from "./flame.ts";
import { readSvg } from "./read-svg.ts";

const call = (functionName: string, selfUs: number, ...children: readonly Call[]): Call => ({
  frame: { functionName, url: `file:///home/somebody/lastro/src/${functionName}.ts`, lineNumber: 4 },
  selfUs,
  children,
});

const tree = call("(root)", 0,
  call("consume", 100_000, call("seal", 300_000), call("parse", 400_000)),
  call("consume", 0, call("seal", 200_000)),
  call("<tiny>", 1),
); // biome-ignore format: a tree

const bars = () => {
  const elements = readSvg(flameGraph("Where time goes", tree));
  return elements.flatMap(({ name, text }, at) => {
    const { attributes } = elements[at + 1] ?? {};
    return name === "title" && attributes?.["x"] !== undefined
      ? [{ text, x: Number(attributes["x"]), y: Number(attributes["y"]), width: Number(attributes["width"]) }]
      : [];
  });
};

test("a flame graph is well-formed XML with a title", () => {
  expect(readSvg(flameGraph("Where <time> goes", tree)).map(({ text }) => text)).toContain(
    "Where <time> goes",
  );
});

test("a bar is as wide as its share, lies over its caller, and calls of one function by one caller are one bar", () => {
  const [consume, seal, parse, ...others] = bars();
  expect(others).toEqual([]);
  expect(consume?.text).toBe("consume src/consume.ts:5: 1000 ms, 100.0 %");
  expect(seal?.text).toBe("seal src/seal.ts:5: 500 ms, 50.0 %");
  expect((seal?.width ?? 0) / (consume?.width ?? 1)).toBeCloseTo(0.5, 3);
  expect(seal?.y).toBeLessThan(consume?.y ?? 0);
  expect(parse?.x).toBeCloseTo((seal?.x ?? 0) + (seal?.width ?? 0), 1);
});

test("a deep recursion does not make the picture endless", () => {
  let deep = call("work", 1_000);
  for (let level = 0; level < 500; level++) deep = call(`level${level % 2}`, 0, deep);
  const height = Number(readSvg(flameGraph("Title", call("(root)", 0, deep)))[0]?.attributes["height"]);
  expect(height).toBeLessThan(1_000);
});

test("no path of the machine is in it", () => {
  expect(flameGraph("Title", tree)).not.toContain("somebody");
});
