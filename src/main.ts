/** `node src/main.ts`: runs the service until it is told to stop. */
import { runService } from "./app.ts";

/**
 * Everything is closed by then. What still runs waits for a file system or a server that does not answer; for the former neither the end of a thread
 * nor process.exit comes before its answer.
 */
const leftMsMax = 2_000;

process.exitCode = await runService(process.env);
setTimeout(() => {
  const left = [...new Set(process.getActiveResourcesInfo())].join(", ");
  process.stderr.write(`all is closed, but something is not answered (${left}): the process ends itself\n`);
  process.kill(process.pid, "SIGKILL");
}, leftMsMax).unref();
