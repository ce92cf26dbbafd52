/** `npm start`: prepares the checkout, finds or starts what the service needs, runs the service, stops everything in order. */
import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { takeDataDir } from "./data-dir.mjs";
import { explain, prepare, root, speaker } from "./prepare.mjs";
import { answersAsKafka, answersAsRedis } from "./probes.mjs";
import { isFree, resolveKafka, resolveRedis, resolveStore } from "./resolve.mjs";
import { startKafka, startRedis } from "./servers.mjs";

/** A young generation that intake's garbage fits into; Node's own default holds 100 MB more and is no faster. */
const nodeFlags = ["--max-semi-space-size=8"];
/** What Node made of the sources at the last start: the next one is faster and needs 30 MB less. In the data folder nobody else can write to it. */
const compiledFolder = "compiled";
const serviceStopMsMax = 10_000;
const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
const log = speaker();

let stopping = false;
/** @type {Promise<void>} */
const told = new Promise((stop) => {
  for (const signal of signals)
    process.on(signal, () => {
      stopping = true;
      stop();
    });
});

/** What only the launcher and the tests read would be an unknown name to the service. @param {NodeJS.ProcessEnv} env */
const serviceEnv = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^LASTRO_(CACHE_DIR$|TEST_)/.test(name)));

/**
 * Runs the service until it ends or the launcher is told to stop; its exit code is the launcher's.
 * @param {string} node @param {Record<string, string>} env @param {(pid: number) => void} spawned @returns {Promise<number>}
 */
async function runService(node, env, spawned) {
  const service = spawn(node, [...nodeFlags, join(root, "src", "main.ts"), ...process.argv.slice(2)], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...serviceEnv(process.env), ...env },
  });
  spawned(service.pid ?? 0);
  /** @type {Promise<number>} */
  const ended = new Promise((done) => {
    service.once("error", (error) => {
      log(`The service could not be started: ${error.message}`);
      done(1);
    });
    service.once("exit", (code, signal) => done(code ?? (signal === "SIGKILL" ? 137 : 143)));
  });
  const first = await Promise.race([ended, told]);
  if (typeof first === "number") return first;
  service.kill("SIGTERM");
  const forced = setTimeout(() => {
    log(`The service did not stop within ${serviceStopMsMax / 1000} s and is ended`);
    service.kill("SIGKILL");
  }, serviceStopMsMax);
  return ended.finally(() => clearTimeout(forced));
}

const runningFile = "running.json";

/** Where the demo finds Kafka and the service; nothing that may hold a password. @param {string} dataDir @param {NodeJS.ProcessEnv} env */
function noteRunning(dataDir, env) {
  const names = ["LASTRO_KAFKA_BROKERS", "LASTRO_KAFKA_TOPIC", "LASTRO_GRPC_ADDRESS"];
  const known = Object.fromEntries(names.filter((name) => env[name]).map((name) => [name, env[name]]));
  writeFileSync(join(dataDir, runningFile), `${JSON.stringify(known, null, 2)}\n`);
}

async function main() {
  const dataDir = resolve(root, process.env["LASTRO_DATA_DIR"] || "data");
  const lock = await takeDataDir(dataDir);
  /** @type {import("./servers.mjs").RunningServer[]} */
  const started = [];
  /** @param {import("./resolve.mjs").Resolved} resolved */
  const adopt = ({ part, server }) => {
    if (!server) return;
    started.push(server);
    void server.exited.then((code) => {
      if (started.includes(server))
        log(
          `${part.part} ended (${code}); its log is in ${join(dataDir, part.part)}. Ctrl-C, then npm start, brings it back`,
        );
    });
  };
  try {
    const node = await prepare(log);
    const around = { env: process.env, dataDir, isFree, log, spawned: lock.note };
    const kafka = await resolveKafka({ ...around, answers: answersAsKafka, start: startKafka });
    adopt(kafka);
    const redis = await resolveRedis({ ...around, answers: answersAsRedis, start: startRedis });
    adopt(redis);
    const store = resolveStore(around);
    if (stopping) return 130;
    const env = {
      ...kafka.env,
      ...redis.env,
      ...store.env,
      LASTRO_DATA_DIR: dataDir,
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] || join(dataDir, compiledFolder),
      LASTRO_LAUNCHED: JSON.stringify([kafka.part, redis.part, store.part]),
    };
    noteRunning(dataDir, { ...process.env, ...env });
    return await runService(node, env, lock.note);
  } finally {
    rmSync(join(dataDir, runningFile), { force: true });
    await Promise.all(started.splice(0).map((server) => server.stop()));
    lock.release();
  }
}

process.exitCode = await main().catch((error) => {
  log(explain(error));
  return 1;
});
process.exit();
