/** Texts that the caller of a command names. */
import { fstatSync, readFileSync, statSync } from "node:fs";
import { evidenceBytesMax } from "../core/evidence.ts";
import { CliFailure } from "./failure.ts";

/** A text that the caller named, no larger than the largest of them, a bundle; - for standard input. */
export const readText = (path: string): string => {
  const bytes = readBounded(path);
  if (bytes === undefined)
    throw new CliFailure("error", `${path} is too large: it has more than ${evidenceBytesMax} bytes`);
  return bytes.toString("utf8");
};

function readBounded(path: string): Buffer | undefined {
  try {
    const { size } = path === "-" ? fstatSync(0) : statSync(path);
    const bytes = size > evidenceBytesMax ? undefined : readFileSync(path === "-" ? 0 : path);
    return bytes !== undefined && bytes.length > evidenceBytesMax ? undefined : bytes;
  } catch (cause) {
    throw new CliFailure("notFound", `${path} cannot be read`, { cause });
  }
}
