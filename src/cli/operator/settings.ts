/** The service's own settings, as a command of operators reads them. */
import type { Config } from "../../config.ts";
import { loadConfig } from "../../load-config.ts";
import type { Cli } from "../command.ts";
import { CliFailure } from "../failure.ts";

export type Around = Parameters<typeof loadConfig>[1] & Pick<Cli, "now">;

export const around = (cli: Cli): Around => ({
  now: cli.now,
  steadyNow: () => performance.now(),
  random: cli.random,
});

/** Ends with `usage` for settings that are wrong, all of them at once; throws SECRETS_UNAVAILABLE. */
export async function operatedConfig(cli: Cli, signal: AbortSignal): Promise<Config> {
  const parsed = await loadConfig(cli.env, around(cli), signal);
  if (!parsed.ok) throw new CliFailure("usage", parsed.errors.join("\n"));
  return parsed.config;
}
