/** What an anchor gave back: checkpoints named one by one or by their folder, and the time stamps beside them. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { checkpointSuffix, timeStampFile } from "../core/anchored-files.ts";
import type { Anchored, TimeStampVerdict } from "../sdk/verify.ts";
import { CliFailure } from "./failure.ts";
import { readText } from "./read-text.ts";

type Options = {
  /** Files and folders. */
  readonly anchored: readonly string[];
  /** Roots of the authority: then each checkpoint counts only by its time stamp. */
  readonly tsa?: string;
};

export async function readAnchored({ anchored, tsa }: Options): Promise<readonly Anchored[]> {
  if (tsa === undefined) return anchored.flatMap(checkpointsIn).map((path) => ({ note: readText(path) }));
  if (anchored.length === 0) throw new CliFailure("usage", "--tsa verifies the time stamps of --anchored");
  const judge = await timeStampJudge(tsa);
  // In a folder lie checkpoints, too, for which the authority was away.
  const paths = anchored.flatMap((path) =>
    isFolder(path) ? checkpointsIn(path).filter((file) => existsSync(timeStampFile(file))) : [path],
  );
  if (paths.length === 0) throw new CliFailure("notFound", `no time stamp lies in ${anchored.join(", ")}`);
  return Promise.all(paths.map(async (path) => ({ note: readText(path), stamp: await judge(path) })));
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function checkpointsIn(path: string): readonly string[] {
  if (!isFolder(path)) return [path];
  const names = readdirSync(path).filter((name) => name.endsWith(checkpointSuffix));
  if (names.length === 0) throw new CliFailure("notFound", `no anchored checkpoint lies in ${path}`);
  return names.map((name) => join(path, name));
}

/** Loaded here alone: verifying without time stamps needs no library for them. */
async function timeStampJudge(rootsFile: string): Promise<(path: string) => Promise<TimeStampVerdict>> {
  const { readCertificates, verifyTimeStamp } = await import("../lib/time-stamp.ts");
  const trusted = rootsOf(rootsFile, readCertificates);
  return async (path) => {
    if (!existsSync(timeStampFile(path))) return { kind: "missing" };
    try {
      const reply = readFileSync(timeStampFile(path));
      const { atMs } = await verifyTimeStamp(reply, readFileSync(path), trusted);
      return { kind: "valid", atMs };
    } catch (error) {
      if (error instanceof RangeError) return { kind: "invalid", why: error.message };
      throw error;
    }
  };
}

function rootsOf<T>(path: string, parse: (pem: string) => T): T {
  const text = readText(path);
  try {
    return parse(text);
  } catch (cause) {
    const why = cause instanceof RangeError ? cause.message : "it cannot be read";
    throw new CliFailure("usage", `--tsa ${path}: ${why}`, { cause });
  }
}
