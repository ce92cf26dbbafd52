/** What every command is given, and how its help begins: with examples. */
import { Command } from "commander";
import { exitCodesText } from "./failure.ts";

/** The outside of a command. Data goes to `out`, everything else to `err`; nothing is ever asked for on a terminal. */
export type Cli = {
  out(text: string): void;
  err(text: string): void;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** That many bytes from a cryptographic source. */
  readonly random: (bytes: number) => Uint8Array;
};

/** A subcommand. Each example is a whole command line, the most usual one first. */
export function newCommand(name: string, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ lastro ${example}\n`).join("");
  return new Command(name)
    .description(description)
    .addHelpText("before", `Examples:\n${lines}`)
    .addHelpText("after", `\n${exitCodesText}`);
}
