/** An anchor that is a time-stamping authority over HTTP (RFC 3161 section 3.4): its signed time stamp lies beside the checkpoint that it stamps. */
import { access, constants, readFile } from "node:fs/promises";
import type { Certificate } from "pkijs";
import { timeStampFile } from "../../core/anchored-files.ts";
import { LastroError } from "../../core/errors.ts";
import { boundedBody } from "../../lib/bounded-body.ts";
import {
  readCertificates,
  type TimeStampRequest,
  timeStampRequest,
  verifyTimeStamp,
} from "../../lib/time-stamp.ts";
import type { Anchor } from "../../ports/anchor.ts";
import type { Randomness } from "../../ports/clock.ts";
import { keepCheckpoint, kept } from "./kept-checkpoint.ts";

const nonceBytes = 8;
const replyBytesMax = 256 * 1024;

export type TimeStampAnchorOptions = {
  readonly folder: string;
  /** May hold a user and a password, which go along as basic authentication (RFC 7617). */
  readonly url: string;
  /** PEM file of the roots that its time stamps must lead to. */
  readonly rootsFile: string;
  readonly random: Randomness;
};

/** Throws CONFIG_INVALID when the roots cannot be read. */
export async function openTimeStampAnchor({
  folder,
  url,
  rootsFile,
  random,
}: TimeStampAnchorOptions): Promise<Anchor> {
  const trusted = await readRoots(rootsFile);
  return {
    name: "time-stamp",
    async keep(checkpoint, signal) {
      const { path, bytes, isSameTree } = await keepCheckpoint(folder, checkpoint, random);
      if (!isSameTree) return "differs";
      const replyPath = timeStampFile(path);
      if (await isThere(replyPath)) return "kept";
      const request = timeStampRequest(bytes, random(nonceBytes));
      await kept(replyPath, await ask({ url, trusted, bytes, request }, signal), random);
      return "kept";
    },
  };
}

async function readRoots(path: string): Promise<readonly Certificate[]> {
  try {
    return readCertificates(await readFile(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof RangeError ? cause.message : "it cannot be read";
    const message = `the certificates of the time-stamping authority, ${path}, cannot be used: ${why}`;
    throw new LastroError("CONFIG_INVALID", message, { cause });
  }
}

/** Only what was verified is put there. */
const isThere = (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

type Question = {
  readonly url: string;
  readonly trusted: readonly Certificate[];
  readonly bytes: Uint8Array;
  readonly request: TimeStampRequest;
};

/** A reply that was verified. */
async function ask({ url, trusted, bytes, request }: Question, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const response = await fetch(plainUrl(url), {
      method: "POST",
      body: Buffer.from(request.der),
      headers: headersFor(url),
      redirect: "error",
      signal,
    });
    if (!response.ok) throw new RangeError(`it answers ${response.status}`);
    const reply = await boundedBody(response.body, replyBytesMax);
    const stamp = await verifyTimeStamp(reply, bytes, trusted);
    if (stamp.nonce !== request.nonce) throw new RangeError("it answers another request");
    return reply;
  } catch (cause) {
    const why = cause instanceof RangeError ? cause.message : "it does not answer";
    const message = `the time-stamping authority at ${new URL(url).host} gives no time stamp: ${why}`;
    throw new LastroError("ANCHOR_UNAVAILABLE", message, { cause });
  }
}

function plainUrl(url: string): URL {
  const plain = new URL(url);
  plain.username = "";
  plain.password = "";
  return plain;
}

function headersFor(url: string): Readonly<Record<string, string>> {
  const { username, password } = new URL(url);
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    "content-type": "application/timestamp-query",
    ...(username !== "" && { authorization: `Basic ${Buffer.from(user).toString("base64")}` }),
  };
}
