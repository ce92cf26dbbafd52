/** `lastro verify … --anchored`: what came back from a folder of anchored checkpoints and from a time-stamping authority that is not ours. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTimeStampAnchor } from "../../src/adapters/anchors/time-stamp.ts";
import { anchoredFile, timeStampFile } from "../../src/core/anchored-files.ts";
import { openCheckpoint } from "../../src/core/trust.ts";
import type { Verification } from "../../src/sdk/verify.ts";
import { makeCheckedLog } from "../support/checked-log.ts";
import { layOut, staticResources } from "../support/evidence.ts";
import { rewrite } from "../support/rewritten.ts";
import { runLastro } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { startAuthority, type TimeStampAuthority } from "../support/time-stamp-authority.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(folder.path, name);
const anchors = file("anchors");
const never = new AbortController().signal;
let authority: TimeStampAuthority;
/** The folder of this log, and the one checkpoint that lies there. */
let [own, anchored, note] = ["", "", ""];
let size = 0;

function put(name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file(name)), { recursive: true });
  writeFileSync(file(name), content);
}

beforeAll(async () => {
  authority = await startAuthority();
  await using log = await makeCheckedLog(7, 200);
  for (const [path, bytes] of staticResources(await layOut(log.store))) put(`log/${path}`, bytes);
  note = log.pin;
  const checkpoint = openCheckpoint(note)?.checkpoint;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  size = checkpoint.size;
  const { url, caFile: rootsFile } = authority;
  const anchor = await openTimeStampAnchor({ folder: anchors, url, rootsFile, random: randomBytes });
  await anchor.keep({ ...checkpoint, note }, never);
  anchored = join(anchors, anchoredFile(checkpoint.origin, size));
  own = dirname(anchored);
  await rewrite(log);
  for (const [path, bytes] of staticResources(await layOut(log.store))) put(`rewritten/${path}`, bytes);
}, 120_000);
afterAll(async () => {
  await authority?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const verify = (name: string, ...args: readonly string[]) =>
  runLastro("verify", "log", file(name), ...args, "--json");
const jsonOf = ({ out }: { readonly out: string }): Verification => JSON.parse(out);

describe("verify against what an anchor gave back", () => {
  test("R-84 a folder of checkpoints makes the basis anchored, and finds a log that was rewritten and signed anew", async () => {
    const good = await verify("log", "--anchored", own);
    expect(good).toMatchObject({ code: 0, err: "" });
    expect(jsonOf(good).basis).toEqual([{ kind: "self" }, { kind: "anchored", size }]);
    const bad = await verify("rewritten", "--anchored", own);
    expect(bad.code).toBe(4);
    expect(jsonOf(bad)).toMatchObject({ verdict: "broken", counts: { TREE_REWRITTEN: 1 } });
  });

  test("with the authority's root the basis says when the checkpoint was there", async () => {
    const ended = await verify("log", "--anchored", own, "--tsa", authority.caFile);
    expect(ended.code).toBe(0);
    const [, basis] = jsonOf(ended).basis;
    if (basis?.kind !== "anchored" || basis.atMs === undefined) throw new Error("no time");
    expect(Math.abs(Date.now() - basis.atMs)).toBeLessThan(600_000);
    const text = await runLastro("verify", "log", file("log"), "--anchored", own, "--tsa", authority.caFile);
    expect(text.out).toContain(`(basis: self, anchored(${new Date(basis.atMs).toISOString()}))`);
    expect((await verify("rewritten", "--anchored", own, "--tsa", authority.caFile)).code).toBe(4);
  });

  test("a time stamp of another authority, of another file, or none beside the checkpoint proves nothing", async () => {
    await using stranger = await startAuthority();
    put(
      "other/a.checkpoint",
      note.replace(/\n(\d+)\n/, (_, leaves) => `\n${Number(leaves) - 1}\n`),
    );
    put("other/a.checkpoint.tsr", readFileSync(timeStampFile(anchored)));
    put("bare/a.checkpoint", note);
    for (const [path, roots, code, why] of [
      [anchored, stranger.caFile, 4, /its signature cannot be verified/],
      [file("other/a.checkpoint"), authority.caFile, 4, /it stamps other bytes/],
      [file("bare/a.checkpoint"), authority.caFile, 6, /no time stamp lies beside it/],
    ] as const) {
      const ended = await verify("log", "--anchored", path, "--tsa", roots);
      expect({ path, code: ended.code, basis: jsonOf(ended).basis }).toEqual({
        path,
        code,
        basis: [{ kind: "self" }],
      });
      expect(jsonOf(ended).findings[0]?.detail).toMatch(why);
    }
  });

  test("in a folder those without a time stamp are passed over; where none has one it is not found", async () => {
    writeFileSync(join(own, "0000000000000001.checkpoint"), "for this one the authority was away");
    expect((await verify("log", "--anchored", own, "--tsa", authority.caFile)).code).toBe(0);
    rmSync(join(own, "0000000000000001.checkpoint"));
    const nothing = await verify("log", "--anchored", file("bare"), "--tsa", authority.caFile);
    expect(nothing).toMatchObject({ code: 3, err: expect.stringContaining("no time stamp lies in") });
    const empty = await verify("log", "--anchored", anchors);
    expect(empty).toMatchObject({ code: 3, err: expect.stringContaining("no anchored checkpoint lies in") });
  });

  test("roots that are none, and roots without checkpoints, are wrong usage", async () => {
    put("roots.pem", "no certificate");
    expect(await verify("log", "--anchored", own, "--tsa", file("roots.pem"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("no certificate is in it"),
    });
    expect((await verify("log", "--tsa", authority.caFile)).code).toBe(2);
  });
});
