/** Texts that the caller of a command names. */
import { readFileSync } from "node:fs";
import { CliFailure } from "./failure.ts";

/** A text that the caller named; - for standard input. */
export const readText = (path: string): string => {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw new CliFailure("notFound", `${path} cannot be read`, { cause });
  }
};
