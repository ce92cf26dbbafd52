import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openFreshFiles } from "../../../src/adapters/files/fresh-files.ts";
import { LastroError } from "../../../src/core/errors.ts";

let dir: string;
let path: string;
const lines: string[] = [];
const note = (code: string, message: string): void => void lines.push(`${code} ${message}`);
const changes: number[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lastro-fresh-"));
  path = join(dir, "file");
  [lines.length, changes.length] = [0, 0];
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = () =>
  openFreshFiles({
    paths: [path],
    what: "number",
    log: { info: note, warn: note, error: note },
    parse([text = ""]) {
      if (!/^\d+$/.test(text)) throw new LastroError("CONFIG_INVALID", "it is no number");
      return Number(text);
    },
    changed: (value) => void changes.push(value),
  });

test("at the start a file that is missing or wrong is refused", () => {
  expect(open).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(path) }),
  );
  writeFileSync(path, "one");
  expect(open).toThrow("it is no number");
});

test("a new one takes the place of the old; a wrong or missing one is told once and the old one holds", () => {
  writeFileSync(path, "1");
  const file = open();
  writeFileSync(path, "2");
  file.refresh();
  file.refresh();
  expect([file.current(), changes]).toEqual([2, [2]]);
  writeFileSync(path, "three");
  file.refresh();
  file.refresh();
  expect(file.current()).toBe(2);
  expect(lines).toEqual([
    "file_taken the new number holds from now on",
    "file_refused the new number is not used, the old one holds: it is no number",
  ]);
  rmSync(path);
  file.refresh();
  file.refresh();
  expect(lines).toHaveLength(3);
  expect(file.current()).toBe(2);
  writeFileSync(path, "4");
  file.refresh();
  expect([file.current(), changes]).toEqual([4, [2, 4]]);
});
