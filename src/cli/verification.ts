/** What the commands that verify have in common: whom they trust, the checkpoint they keep, how they tell a verdict and how they end. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { basisText, objectText, type Trust, type Verification } from "../sdk/verify.ts";
import { readAnchored } from "./anchored.ts";
import type { Cli } from "./command.ts";
import { CliFailure, VerdictFailure } from "./failure.ts";

export type TrustOptions = {
  readonly vkey: readonly string[];
  readonly pin?: string;
  readonly witness: readonly string[];
  readonly witnesses?: string;
  readonly anchored: readonly string[];
  readonly tsa?: string;
  readonly json?: true;
};

export const addTrustOptions = (command: Command): Command =>
  command
    .option("--vkey <vkey...>", "verifier key of the log that you hold yourself", [])
    .option("--pin <file>", "checkpoint to compare with; the newer one is kept there when all is intact")
    .option("--witness <vkey...>", "verifier key of a witness that you trust", [])
    .option("--witnesses <k>", "how many of them must have cosigned (default: all that are named)")
    .option("--anchored <path...>", "checkpoint that you got back from an anchor, or a folder of them", [])
    .option("--tsa <file>", "root certificates (PEM) that the time stamp beside each of those must lead to")
    .option("--json", "print the verification as JSON");

/** A file that is not there yet pins nothing: the first checkpoint is kept in it. */
function readPin(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new CliFailure("notFound", `${path} cannot be read`, { cause });
  }
}

export async function trustOf(options: TrustOptions): Promise<Trust> {
  const k = options.witnesses === undefined ? options.witness.length : Number(options.witnesses);
  if (!Number.isSafeInteger(k) || k < 0 || k > options.witness.length)
    throw new CliFailure("usage", "--witnesses must be a count from 0 to that of the witnesses named");
  return {
    vkeys: options.vkey,
    pin: readPin(options.pin),
    witnesses: { vkeys: options.witness, k },
    anchored: await readAnchored(options),
  };
}

/** Keeps the checkpoint of an intact log for the next time, never an older one in the place of a newer. */
export function keepPin(path: string | undefined, note: string | undefined, { verdict }: Verification): void {
  if (path === undefined || note === undefined || verdict !== "intact") return;
  const sizeOf = (text: string | undefined): number => Number(text?.split("\n", 2)[1] ?? -1);
  if (sizeOf(note) <= sizeOf(readPin(path))) return;
  const draft = `${path}.new`;
  writeFileSync(draft, note);
  renameSync(draft, path);
}

/** Prints it, and ends the command with the exit code of the verdict. */
export function tell(cli: Cli, result: Verification, json: boolean): void {
  cli.out(json ? `${JSON.stringify(result)}\n` : textOf(result));
  if (result.verdict === "broken") throw new VerdictFailure("verificationFailed");
  if (result.verdict === "incomplete") throw new VerdictFailure("incomplete");
  if (result.findings.length > 0) throw new VerdictFailure("repairable");
}

function textOf({ verdict, basis, findings, counts, checked }: Verification): string {
  const lines = findings.map(({ code, object, detail }) => `${code}  ${objectText(object)}: ${detail}`);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total > findings.length) lines.push(`… and ${total - findings.length} more`);
  const what = Object.entries(checked).map(([name, count]) => `${count} ${name}`);
  return [
    ...lines,
    `checked: ${what.join(", ") || "nothing"}`,
    `${verdict} (basis: ${basis.map(basisText).join(", ")})`,
    "",
  ].join("\n");
}
