/** What every anchor keeps to. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { anchoredFile, checkpointSuffix } from "../../src/core/anchored-files.ts";
import { openCheckpoint } from "../../src/core/trust.ts";
import type { Anchor, AnchoredNote } from "../../src/ports/anchor.ts";
import { watchedLog } from "../support/witness.ts";

export type AnchorFixture = {
  readonly anchor: Anchor;
  /** Where it keeps checkpoints, and nothing else lies yet. */
  readonly folder: string;
  /** One whose folder cannot be made. */
  readonly nowhere: Anchor;
};

const log = watchedLog("log.test/a%b", 300);
const fork = watchedLog("log.test/a%b", 300, 100);
const never = new AbortController().signal;

function checkpoint(of: typeof log, size: number): AnchoredNote {
  const note = of.note(size);
  const opened = openCheckpoint(note);
  if (opened === undefined) throw new Error("no checkpoint");
  return { ...opened.checkpoint, note };
}

export function anchorContract(begin: () => Promise<AnchorFixture>): void {
  test("a checkpoint is kept verbatim in a file named by origin and size that nobody may write", async () => {
    const { anchor, folder } = await begin();
    expect(await anchor.keep(checkpoint(log, 70), never)).toBe("kept");
    expect(await anchor.keep(checkpoint(log, 300), never)).toBe("kept");
    const own = join(folder, "log.test%2Fa%25b");
    const names = readdirSync(own).filter((name) => name.endsWith(checkpointSuffix));
    expect(names).toEqual(["0000000000000070.checkpoint", "0000000000000300.checkpoint"]);
    const path = join(folder, anchoredFile("log.test/a%b", 70));
    expect(readFileSync(path, "utf8")).toBe(log.note(70));
    expect(statSync(path).mode & 0o222).toBe(0);
  });

  test("the same checkpoint again changes nothing, with other signatures neither", async () => {
    const { anchor, folder } = await begin();
    const first = checkpoint(log, 70);
    await anchor.keep(first, never);
    expect(await anchor.keep(first, never)).toBe("kept");
    const [line = ""] = first.note.split("\n").slice(-2);
    expect(await anchor.keep({ ...first, note: `${first.note}${line}\n` }, never)).toBe("kept");
    expect(readFileSync(join(folder, anchoredFile(first.origin, 70)), "utf8")).toBe(first.note);
  });

  test("another tree of the same size is told, and what was kept first stays", async () => {
    const { anchor, folder } = await begin();
    await anchor.keep(checkpoint(log, 300), never);
    expect(await anchor.keep(checkpoint(fork, 300), never)).toBe("differs");
    expect(readFileSync(join(folder, anchoredFile("log.test/a%b", 300)), "utf8")).toBe(log.note(300));
  });

  test("two that keep at once keep one file whole", async () => {
    const { anchor, folder } = await begin();
    const one = checkpoint(log, 200);
    expect(await Promise.all([anchor.keep(one, never), anchor.keep(one, never)])).toEqual(["kept", "kept"]);
    const left = readdirSync(join(folder, "log.test%2Fa%25b")).filter((name) => name.endsWith(".new"));
    expect(left).toEqual([]);
  });

  test("where nothing can be written it is ANCHOR_UNAVAILABLE, and after the signal nothing is asked", async () => {
    const { anchor, nowhere } = await begin();
    await expect(nowhere.keep(checkpoint(log, 70), never)).rejects.toMatchObject({
      code: "ANCHOR_UNAVAILABLE",
    });
    await expect(anchor.keep(checkpoint(log, 70), AbortSignal.abort(new Error("over")))).rejects.toThrow();
  });
}

/** A path below a file: no folder can be made there. */
export function unwritable(folder: string): string {
  writeFileSync(join(folder, "file"), "");
  return join(folder, "file", "anchors");
}
