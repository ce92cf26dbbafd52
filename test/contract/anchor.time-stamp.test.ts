import { randomBytes } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTimeStampAnchor } from "../../src/adapters/anchors/time-stamp.ts";
import { anchoredFile, timeStampFile } from "../../src/core/anchored-files.ts";
import { openCheckpoint } from "../../src/core/trust.ts";
import { timeStampRequest } from "../../src/lib/time-stamp.ts";
import { freePort } from "../support/lastro.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { opensslAccepts, startAuthority, type TimeStampAuthority } from "../support/time-stamp-authority.ts";
import { watchedLog } from "../support/witness.ts";
import { anchorContract, unwritable } from "./anchor.contract.ts";

const open = new DisposableStack();
afterAll(() => open.dispose());
const never = new AbortController().signal;
const note = watchedLog("log.test/a", 100).note(100);
let authority: TimeStampAuthority;
beforeAll(async () => {
  authority = await startAuthority();
}, 60_000);
afterAll(async () => authority?.[Symbol.asyncDispose]());

const newFolder = (): string => join(open.use(temporaryFolder()).path, "anchors");
const anchorIn = (folder: string, url = authority.url) =>
  openTimeStampAnchor({ folder, url, rootsFile: authority.caFile, random: randomBytes });
const opened = openCheckpoint(note)?.checkpoint;
if (opened === undefined) throw new Error("no checkpoint");
const checkpoint = { ...opened, note };
const requestFor = (text: string) => timeStampRequest(Buffer.from(text), randomBytes(8));
const checkpointPath = (folder: string): string => join(folder, anchoredFile("log.test/a", 100));

describe("an authority of RFC 3161 as OpenSSL has it", () => {
  anchorContract(async () => {
    const { path } = open.use(temporaryFolder());
    const folder = join(path, "anchors");
    return { folder, anchor: await anchorIn(folder), nowhere: await anchorIn(unwritable(path)) };
  });

  test("beside each checkpoint lies a time stamp that `openssl ts -verify` accepts", async () => {
    const folder = newFolder();
    expect(await (await anchorIn(folder)).keep(checkpoint, never)).toBe("kept");
    const [file, stamp] = [checkpointPath(folder), timeStampFile(checkpointPath(folder))];
    expect(await opensslAccepts(authority.caFile, file, stamp)).toBe(true);
    await using stranger = await startAuthority();
    expect(await opensslAccepts(stranger.caFile, file, stamp)).toBe(false);
  });

  test("user and password of the URL go along as basic authentication", async () => {
    const folder = newFolder();
    await (await anchorIn(folder, authority.url.replace("://", "://me:s%40fe@"))).keep(checkpoint, never);
    expect(authority.authorization).toBe(`Basic ${Buffer.from("me:s@fe").toString("base64")}`);
  });

  test("an answer that is no time stamp of this request is not kept, and the next one is", async () => {
    const folder = newFolder();
    const anchor = await anchorIn(folder);
    const others = [
      Buffer.from("<html>"),
      Buffer.alloc(300 * 1024),
      await authority.reply(requestFor("another file").der),
      await authority.reply(requestFor(note).der),
      await authority.replySignedFor("critical,emailProtection", requestFor(note).der),
    ];
    const why: string[] = [];
    for (const answer of others) {
      authority.answer = answer;
      await anchor.keep(checkpoint, never).catch((error: Error) => why.push(error.message));
    }
    authority.answer = undefined;
    const lead = `the time-stamping authority at ${new URL(authority.url).host} gives no time stamp: `;
    expect(why).toEqual([
      `${lead}it is no reply of RFC 3161`,
      `${lead}the answer is too long`,
      `${lead}it stamps other bytes`,
      `${lead}it answers another request`,
      `${lead}its certificate is not for time stamping alone`,
    ]);
    expect(readdirSync(join(folder, "log.test%2Fa"))).toEqual(["0000000000000100.checkpoint"]);
    expect(await anchor.keep(checkpoint, never)).toBe("kept");
    expect(readdirSync(join(folder, "log.test%2Fa"))).toHaveLength(2);
  });

  test("a checkpoint that is stamped is not stamped again", async () => {
    const folder = newFolder();
    const anchor = await anchorIn(folder);
    await anchor.keep(checkpoint, never);
    authority.answer = Buffer.from("<html>");
    expect(await anchor.keep(checkpoint, never)).toBe("kept");
    authority.answer = undefined;
  });

  test("one that is not there is ANCHOR_UNAVAILABLE", async () => {
    const anchor = await anchorIn(newFolder(), `http://127.0.0.1:${await freePort()}`);
    await expect(anchor.keep(checkpoint, never)).rejects.toMatchObject({
      code: "ANCHOR_UNAVAILABLE",
      message: expect.stringMatching(/it does not answer$/),
    });
  });

  test("roots that cannot be read are CONFIG_INVALID", async () => {
    const folder = open.use(temporaryFolder()).path;
    const rootsFile = join(folder, "roots.pem");
    const options = { folder, url: authority.url, rootsFile, random: randomBytes };
    await expect(openTimeStampAnchor(options)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    writeFileSync(rootsFile, "no certificate");
    await expect(openTimeStampAnchor(options)).rejects.toThrow("no certificate is in it");
  });
});
