/** The `lastro` command: its subcommands, and how what goes wrong becomes a sentence and an exit code. */
import { Command, CommanderError } from "commander";
import { visibleText } from "../lib/visible-text.ts";
import type { Cli } from "./command.ts";
import { type ExitCode, exitCodes, exitCodesText, exitOf, VerdictFailure } from "./failure.ts";
import { checkCommand } from "./operator/check.ts";
import { configCommand } from "./operator/config.ts";
import { reindexCommand } from "./operator/reindex.ts";
import { tailCommand } from "./tail.ts";
import { verifyCommand } from "./verify.ts";
import { witnessCommand } from "./witness.ts";

const examples = `Examples:
  $ lastro verify log https://audit.example.org/ --pin kept.txt
  $ lastro check --state check.json
  $ lastro witness --name witness.example.org/w1 --log 'log.example.org/0123456789abcdef+…'
  $ lastro witness --help
`;

/** Each subcommand has a file of its own and is one line here. */
const subcommands: readonly ((cli: Cli) => Command)[] = [
  verifyCommand,
  tailCommand,
  checkCommand,
  reindexCommand,
  configCommand,
  witnessCommand,
];

function newProgram(cli: Cli): Command {
  const program = new Command("lastro")
    .description("Tools around an audit log that can be proven.")
    .addHelpText("before", examples)
    .addHelpText("after", `\n${exitCodesText}`)
    .configureOutput({ writeOut: (text) => cli.out(text), writeErr: (text) => cli.err(text) })
    .showHelpAfterError("(add --help for examples and options)")
    .exitOverride();
  for (const subcommand of subcommands) program.addCommand(inheriting(subcommand(cli), program));
  return program;
}

/** Commands below a command that is added whole inherit nothing by themselves: they would end the process with codes of their own. */
function inheriting(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inheriting(below, command);
  return command;
}

/** Runs one command line (without the names of node and of the program). Never throws. A server that is verified cannot write a verdict of its own over ours. */
export async function runCli(args: readonly string[], given: Cli): Promise<ExitCode> {
  const cli: Cli = {
    ...given,
    out: (text) => given.out(visibleText(text)),
    err: (text) => given.err(visibleText(text)),
  };
  try {
    await newProgram(cli).parseAsync([...args], { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    // Commander has said what is wrong already; asked for help or version, nothing is.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error instanceof VerdictFailure) return exitCodes[error.exit];
    cli.err(`${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodes[exitOf(error)];
  }
}
