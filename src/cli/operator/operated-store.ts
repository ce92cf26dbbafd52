/** Opens the store that the service's own settings name, for a command of operators. */
import { loadConfig } from "../../load-config.ts";
import type { OperatedStore } from "../../open-store.ts";
import type { Cli } from "../command.ts";
import { CliFailure } from "../failure.ts";

/** Ends with `usage` for settings that are wrong; throws what opening a store throws. */
export async function operatedStore(cli: Cli, signal: AbortSignal): Promise<OperatedStore> {
  const around = { now: cli.now, steadyNow: () => performance.now(), random: cli.random };
  const parsed = await loadConfig(cli.env, around, signal);
  if (!parsed.ok) throw new CliFailure("usage", parsed.errors.join("\n"));
  // Loaded here alone: other commands start without the libraries of stores.
  const { openOperatedStore } = await import("../../open-store.ts");
  return openOperatedStore(parsed.config, around);
}
