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
let max = Infinity;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lastro-fresh-"));
  path = join(dir, "file");
  [lines.length, changes.length, max] = [0, 0, Infinity];
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = () =>
  openFreshFiles({
    paths: [path],
    what: "number",
    log: { info: note, warn: note, error: note },
    parse([text = ""]) {
      if (!/^\d+$/.test(text)) throw new LastroError("CONFIG_INVALID", "it is no number");
      if (Number(text) > max) throw new LastroError("CONFIG_INVALID", "it is too large yet");
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

test("one that was refused is tried again as it is, and told again only when it is refused for something else", () => {
  writeFileSync(path, "1");
  const file = open();
  max = 5;
  writeFileSync(path, "7");
  file.refresh();
  file.refresh();
  rmSync(path);
  file.refresh();
  writeFileSync(path, "7");
  file.refresh();
  file.refresh();
  const tooLarge = "file_refused the new number is not used, the old one holds: it is too large yet";
  expect(lines).toEqual([tooLarge, expect.stringContaining("cannot be read"), tooLarge]);
  expect([file.current(), changes]).toEqual([1, []]);
  max = 7;
  file.refresh();
  file.refresh();
  expect([file.current(), changes]).toEqual([7, [7]]);
  expect(lines).toHaveLength(4);
});
