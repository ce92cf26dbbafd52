/** `node src/main.ts`: runs the service until it is told to stop. */
import { runService } from "./app.ts";

/** Everything is closed by then. What still runs waits for a file system that does not answer, and neither the end of a thread nor process.exit comes before its answer. */
const leftMsMax = 2_000;

process.exitCode = await runService(process.env);
setTimeout(() => process.kill(process.pid, "SIGKILL"), leftMsMax).unref();
