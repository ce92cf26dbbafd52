/** Runs the `lastro` command as a user would: a process of its own, without a terminal. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export type CliRun = { readonly code: number | null; readonly out: string; readonly err: string };

export const runLastro = (...args: readonly string[]): Promise<CliRun> => runLastroWith({}, ...args);

/** With these variables, and this on standard input. */
export async function runLastroWith(
  { env = {}, input = "" }: { readonly env?: Readonly<Record<string, string>>; readonly input?: string },
  ...args: readonly string[]
): Promise<CliRun> {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: "pipe",
  });
  // A command that does not read its input may be gone before it came.
  child.stdin.on("error", () => undefined).end(input);
  const printed = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed.err += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...printed };
}
