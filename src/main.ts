/** `node src/main.ts`: runs the service until it is told to stop. */
import { runService } from "./app.ts";

/** Everything is closed by then, and what was written reaches its reader. */
const killMs = 1_000;

let isStuck = false;
const stuck = (): void => {
  isStuck = true;
};
process.exitCode = await runService(process.env, { stuck });
// Neither the end of a thread nor process.exit comes before the answer of a file system that gives none.
if (isStuck) setTimeout(() => process.kill(process.pid, "SIGKILL"), killMs);
