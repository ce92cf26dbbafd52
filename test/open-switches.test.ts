/** Switches from a file, as the service opens them. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parseConfig } from "../src/config.ts";
import { openSwitches } from "../src/open-switches.ts";
import type { SwitchContext } from "../src/ports/switches.ts";
import { temporaryFolder } from "./support/sqlite.ts";

test("R-13 a rule that fails when it is asked is told once for each file, by its switch and without what was asked", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "switches.json");
  const put = (description: string): void => {
    const targeting = { if: [{ "===": [{ var: "tenant" }, "acme"] }, { var: "tenant" }, "on"] };
    const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on", targeting };
    writeFileSync(
      `${path}.new`,
      JSON.stringify({ flags: { tails: { ...flag, metadata: { description } } } }),
    );
    renameSync(`${path}.new`, path);
  };
  put("first");
  const env = { LASTRO_SWITCHES_FILE: path, LASTRO_FILES_REFRESH_MS: "100" };
  const parsed = parseConfig(env, () => "");
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  const lines: string[] = [];
  const note = (...line: readonly unknown[]): void => void lines.push(JSON.stringify(line));
  const around = { log: { info: note, warn: note, error: note }, observer: { switches: () => undefined } };
  const stop = new AbortController();
  await using opened = new AsyncDisposableStack();
  opened.defer(() => stop.abort());
  const switches = await openSwitches(parsed.config, around, opened, stop.signal);
  const ask = async (): Promise<void> => {
    const asked: SwitchContext = { method: "TailRecords", callerKind: "service", tenant: "acme" };
    for (const context of [asked, asked, { ...asked, tenant: "other" }])
      expect(await switches.isOn("tails", context)).toBe(true);
  };
  const told = expect.stringMatching(
    /^\["switch_not_evaluated","[^"]+",\{"switch":"tails","code":"GENERAL"\}\]$/,
  );
  await ask();
  expect(lines).toEqual([told]);
  const changed = new Promise((resolve) => switches.onChange(resolve));
  put("second");
  await changed;
  await ask();
  expect(lines.filter((line) => line.includes("switch_not_evaluated"))).toEqual([told, told]);
});
