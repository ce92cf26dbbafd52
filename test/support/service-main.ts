/** The service as `src/main.ts` starts it, but it can be told to end like a machine that loses power, or to stand still. */
import { runService } from "../../src/app.ts";
import { type DyingPoint, watchLetters, watchSqlite } from "./die-at.ts";

const [point, times, signal = "SIGKILL"] = (process.env["LASTRO_TEST_DIE_AT"] ?? "").split(":");
let reachedTimes = 0;

function reached(at: DyingPoint): void {
  if (at !== point) return;
  reachedTimes += 1;
  if (reachedTimes === Number(times)) process.kill(process.pid, signal);
}

watchSqlite(reached);
watchLetters(reached);
process.exitCode = await runService(process.env, { reached });
