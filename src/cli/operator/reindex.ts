/** `lastro reindex`: has the search index made anew. It says so in the store; the service takes the index away and reads the log again. */
import type { Command } from "commander";
import { untilSignal } from "../../lib/signals.ts";
import { type Cli, newCommand } from "../command.ts";
import { operatedStore } from "./operated-store.ts";

export const reindexCommand = (cli: Cli): Command =>
  newCommand("reindex", "Have the search index made anew from the log (operators)", ["reindex"]).action(() =>
    reindex(cli),
  );

async function reindex(cli: Cli): Promise<void> {
  const stop = untilSignal();
  await using opened = await operatedStore(cli, stop);
  const { index } = opened.store;
  // Otherwise it is being taken away already, by the service.
  if ((await index.state(stop))?.rules !== noRules) await index.reset(noRules, stop);
  cli.out(
    "The search index is made anew: by the service that runs, or by the next that starts. Until it has caught up, words find only what it has reached.\n",
  );
}

/** No catalogue has these, so that a service that finds them begins anew. */
const noRules = "";
