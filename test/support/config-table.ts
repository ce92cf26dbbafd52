/** The README's configuration table, made from the schema; run by `npm run docs`, compared by a test. */
import { readFileSync, writeFileSync } from "node:fs";
import { configVariables } from "../../src/config.ts";

export const readmeUrl = new URL("../../README.md", import.meta.url);
const begin = "<!-- configuration: npm run docs -->\n";
const end = "<!-- end of configuration -->";

const rows = configVariables.map(({ name, defaultText, unit, description, secret }) => {
  const file = secret ? ` (or \`${name}_FILE\`)` : "";
  return `| \`${name}\`${file} | ${defaultText === "" ? "" : `\`${defaultText}\``} | ${unit ?? ""} | ${description} |`;
});
const table = ["| variable | default | unit | what it is |", "|---|---|---|---|", ...rows, ""].join("\n");

/** The README with the table that the schema gives. */
export function withConfigTable(readme: string): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error("README.md has no place for the configuration table");
  return readme.slice(0, from + begin.length) + table + readme.slice(to);
}

if (import.meta.main) writeFileSync(readmeUrl, withConfigTable(readFileSync(readmeUrl, "utf8")));
