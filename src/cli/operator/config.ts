/** `lastro config check`: what the service would be started with; the files that it names are read at the start. Connects to nothing but a Vault that is asked for secrets. */
import type { Command } from "commander";
import { describeConfig } from "../../config.ts";
import { untilSignal } from "../../lib/signals.ts";
import { type Cli, newCommand } from "../command.ts";
import { operatedConfig } from "./settings.ts";

export const configCommand = (cli: Cli): Command =>
  newCommand("config", "What the environment says to the service (operators)", ["config check"]).addCommand(
    newCommand(
      "check",
      "Show every setting and where it comes from, without secrets; or all that is wrong with them",
      ["config check"],
    ).action(async () => cli.out(`${describeConfig(await operatedConfig(cli, untilSignal()))}\n`)),
  );
