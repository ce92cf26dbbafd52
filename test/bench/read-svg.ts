/** What an SVG holds, by a strict XML parser; for tests. */
import { SaxesParser } from "saxes";

type SvgElement = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Directly in it. */
  text: string;
};

/** In the order in which they begin. Throws when it is not well-formed. */
export function readSvg(svg: string): readonly SvgElement[] {
  const all: SvgElement[] = [];
  const open: SvgElement[] = [];
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes, text: "" };
    all.push(element);
    open.push(element);
  });
  parser.on("text", (text) => {
    const inside = open.at(-1);
    if (inside !== undefined) inside.text += text;
  });
  parser.on("closetag", () => void open.pop());
  parser.write(svg).close();
  return all;
}
