/** The service as `src/main.ts` starts it, but it can be told to end like a machine that loses power, or to stand still. */
import { runService } from "../../src/app.ts";
import type { IntakePoint, LogPoint } from "../../src/ports/observer.ts";

const [point, times, signal = "SIGKILL"] = (process.env["LASTRO_TEST_DIE_AT"] ?? "").split(":");
let reached = 0;

process.exitCode = await runService(process.env, {
  reached(at: IntakePoint | LogPoint) {
    if (at !== point) return;
    reached += 1;
    if (reached === Number(times)) process.kill(process.pid, signal);
  },
});
