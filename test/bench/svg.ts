/** Elements of an SVG as text. */
type Attributes = Readonly<Record<string, string | number>>;

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character] ?? "");
const shown = (value: string | number): string =>
  typeof value === "number" ? String(Math.round(value * 10) / 10) : escaped(value);

/** Children are elements; text is given by `textOf`. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const given = Object.entries(attributes).map(([key, value]) => ` ${key}="${shown(value)}"`);
  return children.length === 0
    ? `<${name}${given.join("")}/>`
    : `<${name}${given.join("")}>${children.join("")}</${name}>`;
}

export const textOf = (text: string, attributes: Attributes): string =>
  element("text", { fill: "#222", ...attributes }, escaped(text));

export const titleOf = (text: string): string => element("title", {}, escaped(text));

/** A whole picture on a white ground. */
export const picture = (
  { title, width, height }: { readonly title: string; readonly width: number; readonly height: number },
  ...children: readonly string[]
): string =>
  `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "font-family": "sans-serif",
      "font-size": 12,
    },
    titleOf(title),
    element("rect", { width, height, fill: "#fff" }),
    textOf(title, { x: 16, y: 24, "font-size": 15, "font-weight": "bold" }),
    ...children,
  )}\n`;
