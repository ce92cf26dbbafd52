/** docs/operations.md names what can be switched off. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseSwitchesFile } from "../src/adapters/openfeature/switches-file.ts";
import { switchNames } from "../src/core/switches.ts";

const text = readFileSync(new URL("../docs/operations.md", import.meta.url), "utf8");
const section = text.slice(text.indexOf("## Switching off"), text.indexOf("## Stands still"));

test("R-13 docs/operations.md names each switch, and no other", () => {
  const named = [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name);
  expect(named).toEqual([...switchNames]);
});

test("R-13 the file that docs/operations.md shows is taken, and does what the page says", () => {
  const [, shown = ""] = /```json\n(.*?)```/s.exec(section) ?? [];
  expect(parseSwitchesFile(shown)).toMatchObject({
    ok: true,
    file: { off: ["exports"], targeted: ["tails"] },
  });
});
