/** Opens the store that the service's own settings name, for a command of operators. */
import type { OperatedStore } from "../../open-store.ts";
import type { Cli } from "../command.ts";
import { around, operatedConfig } from "./settings.ts";

/** Throws as `operatedConfig` does, and what opening a store throws. */
export async function operatedStore(cli: Cli, signal: AbortSignal): Promise<OperatedStore> {
  const config = await operatedConfig(cli, signal);
  // Loaded here alone: other commands start without the libraries of stores.
  const { openOperatedStore } = await import("../../open-store.ts");
  return openOperatedStore(config, around(cli));
}
