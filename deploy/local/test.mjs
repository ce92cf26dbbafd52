/** `npm test`: prepares the checkout, starts real servers in a folder of its own, runs every test, stops everything. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { endLeftovers, runVariable } from "./leftovers.mjs";
import { explain, prepare, root, speaker } from "./prepare.mjs";
import { chromiumProgram, promtoolProgram, schemathesisPython } from "./programs.mjs";
import { startKafka, startMongo, startRedis } from "./servers.mjs";
import { summarise, summaryLine } from "./summary.mjs";

const phaseMsMax = 35 * 60_000;
/** The long forms of tests take hours. */
const givenMsMax = 6 * 60 * 60_000;
const log = speaker();

/** Tests that need nothing come first; those that stop servers and take processes down have the machine to themselves. */
const phases = [
  [
    "unit",
    "--maxWorkers=2",
    "--testPathIgnorePatterns",
    "<rootDir>/test/(contract|integration|e2e|faults|bench)/",
  ],
  ["contracts and integration", "--testPathPatterns", "/test/(contract|integration)/"],
  ["end to end and faults", "--runInBand", "--testPathPatterns", "/test/(e2e|faults)/"],
];

const servers = /** @type {const} */ ([
  ["LASTRO_TEST_KAFKA_BROKERS", "kafka", startKafka],
  ["LASTRO_TEST_REDIS_URL", "redis", startRedis],
  ["LASTRO_TEST_MONGODB_URL", "mongo", startMongo],
]);

/** @type {import("./servers.mjs").RunningServer[]} */
const started = [];
/** @type {import("node:child_process").ChildProcess | undefined} */
let running;
let stopping = false;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
  process.on(signal, () => {
    stopping = true;
    running?.kill("SIGTERM");
  });

/** Starts what no variable names yet. @param {string} dir @returns {Promise<Record<string, string>>} */
async function startServers(dir) {
  const missing = servers.filter(([name]) => !process.env[name]);
  const results = await Promise.allSettled(
    missing.map(async ([name, folder, start]) => {
      const server = await start({ dir: join(dir, folder), log });
      started.push(server);
      log(`${server.what} on ${server.address}`);
      return [name, server.url];
    }),
  );
  const failures = results.flatMap((result) => (result.status === "rejected" ? explain(result.reason) : []));
  if (failures.length > 0) throw new Error(failures.join("\n"));
  return Object.fromEntries(
    results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])),
  );
}

const programs = /** @type {const} */ ([
  ["LASTRO_TEST_CHROMIUM", "Chromium", chromiumProgram],
  ["LASTRO_TEST_PROMTOOL", "promtool", promtoolProgram],
  ["LASTRO_TEST_SCHEMATHESIS", "schemathesis", schemathesisPython],
]);

/** Without one the tests that need it fail alone, and say so. @returns {Promise<Record<string, string>>} */
async function findPrograms() {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [name, what, find] of programs) {
    if (process.env[name]) continue;
    try {
      const { program } = await find(log);
      log(`${what} (${program})`);
      found[name] = program;
    } catch (error) {
      log(explain(error));
    }
  }
  return found;
}

/** Runs jest once. @param {string} node @param {string[]} args @param {Record<string, string>} env @param {string} reportFile @param {number} msMax
 * @returns {Promise<import("./summary.mjs").Report | undefined>} */
function jest(node, args, env, reportFile, msMax) {
  const bin = join(root, "node_modules", ".bin");
  running = spawn(
    node,
    [
      join(root, "node_modules", "jest", "bin", "jest.js"),
      "--passWithNoTests",
      "--json",
      `--outputFile=${reportFile}`,
      ...args,
    ],
    {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
      timeout: msMax,
      killSignal: "SIGKILL",
      env: {
        ...process.env,
        ...env,
        PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
        NODE_OPTIONS: "--experimental-vm-modules --disable-warning=ExperimentalWarning",
      },
    },
  );
  const child = running;
  return new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("exit", () =>
      resolve(existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, "utf8")) : undefined),
    );
  });
}

/** @param {string} dir */
async function main(dir) {
  const node = await prepare(log);
  // One after the other: apt-get locks out a second one.
  const env = { ...(await startServers(dir)), ...(await findPrograms()), [runVariable]: dir };
  const given = process.argv.slice(2);
  const reports = [];
  for (const [title, ...args] of given.length > 0 ? [["given on the command line", ...given]] : phases) {
    if (stopping) break;
    log(`\n── tests: ${title} ──`);
    const reportFile = join(dir, `report-${reports.length}.json`);
    reports.push(await jest(node, args, env, reportFile, given.length > 0 ? givenMsMax : phaseMsMax));
  }
  return summarise(reports);
}

const dir = mkdtempSync(join(tmpdir(), "lastro-test-"));
const sum = await main(dir).catch((error) => {
  log(explain(error));
  return { passed: 0, failed: 1, skipped: 0 };
});
await Promise.all(started.map((server) => server.stop()));
const left = endLeftovers(dir);
if (left > 0) log(`ended ${left} processes that tests had left behind`);
rmSync(dir, { recursive: true, force: true });
process.stdout.write(`\n${summaryLine(sum)}\n`, () => process.exit(stopping ? 130 : sum.failed > 0 ? 1 : 0));
