/** `npm run bench`: prepares the checkout, starts servers in a folder of its own, measures, stops everything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectJars } from "./connect.mjs";
import { explain, prepare, root, speaker } from "./prepare.mjs";
import { startKafka, startMongo, startRedis } from "./servers.mjs";

const log = speaker();
const dir = mkdtempSync(join(tmpdir(), "lastro-bench-servers-"));
/** @type {import("./servers.mjs").RunningServer[]} */
const started = [];
/** @type {import("node:child_process").ChildProcess | undefined} */
let running;

/** What it started itself ends with it: they are one process group. */
function endRunning() {
  if (running?.pid !== undefined && running.exitCode === null && running.signalCode === null)
    process.kill(-running.pid, "SIGTERM");
}
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, endRunning);

/** @param {string} folder @param {typeof startKafka} start */
async function up(folder, start) {
  const server = await start({ dir: join(dir, folder), log });
  started.push(server);
  return server.url;
}

async function main() {
  const node = await prepare(log);
  const parts = process.argv.slice(2);
  const named = parts.filter((part) => !part.startsWith("-"));
  if (named.length === 0 || named.includes("peers")) await connectJars(log);
  const env = {
    LASTRO_TEST_KAFKA_BROKERS: await up("kafka", startKafka),
    LASTRO_TEST_REDIS_URL: await up("redis", startRedis),
    LASTRO_TEST_MONGODB_URL: await up("mongo", startMongo),
  };
  const args = ["--disable-warning=ExperimentalWarning", join(root, "test", "bench", "main.ts"), ...parts];
  running = spawn(node, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
    detached: true,
  });
  const [code] = await once(running, "exit");
  return code ?? 1;
}

const code = await main().catch((error) => {
  log(explain(error));
  return 1;
});
await Promise.all(started.map((server) => server.stop()));
rmSync(dir, { recursive: true, force: true });
process.exit(code);
