/** What a part of the bench gives: its text for docs/performance.md and its plots for docs/plots. */
export type Section = {
  /** Markdown. */
  readonly text: string;
  /** SVG by the name of its file, without the ending. */
  readonly plots?: Readonly<Record<string, string>>;
};

const end = "<!-- measured: end -->";

/** The page with `text` between the marks of `part`; what people wrote around them stays. */
export function withMeasured(page: string, part: string, text: string): string {
  const begin = `<!-- measured: ${part} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  const next = page.indexOf("<!-- measured: ", from + begin.length);
  if (from < 0 || to < 0 || next !== to) throw new Error(`docs/performance.md has no place for ${part}`);
  return `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`;
}

/** The section with its plots below it, as they are shown on the page. */
export const withPlots = ({ text, plots = {} }: Section): string =>
  [text, ...Object.keys(plots).map((name) => `![${name.replaceAll("-", " ")}](plots/${name}.svg)`)].join(
    "\n\n",
  );
