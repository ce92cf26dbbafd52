/** Starts, awaits and ends the programs that the launcher runs; what a program prints goes to a file, never to the terminal. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";

const pollMs = 50;

export const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A loopback port that was free a moment ago. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/**
 * Runs a command to its end and hands its last lines to whoever has to explain a failure.
 * @param {string} command @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", (error) => resolve({ code: 127, output: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, output: output.trim() }));
  });
}

/** Like `run`, but a failure is an error that shows what the command said last.
 * @param {string} command @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options] */
export async function mustRun(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Error(`\`${command} ${args.join(" ")}\` ended with ${code}:\n${output}`);
  return output;
}

/**
 * Starts a server in a process group of its own, so that a Ctrl-C in the terminal reaches the launcher first and the
 * order of stopping stays the launcher's; resolves when `ready` says that it answers.
 * @param {{ name: string, command: string, args: string[], logFile: string, env?: Record<string, string>,
 *           ready: () => Promise<boolean>, readyMsMax: number, stopMsMax: number, spawned?: (pid: number) => void }} server
 */
export async function startServer({
  name,
  command,
  args,
  logFile,
  env,
  ready,
  readyMsMax,
  stopMsMax,
  spawned,
}) {
  const out = openSync(logFile, "w");
  const child = spawn(command, args, {
    cwd: dirname(logFile),
    detached: true,
    stdio: ["ignore", out, out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  spawned?.(child.pid ?? 0);
  let ended = false;
  const exited = new Promise((resolve) => {
    const end = (/** @type {number | null} */ code) => {
      ended = true;
      resolve(code);
    };
    child.once("exit", end);
    child.once("error", () => end(127));
  });
  child.unref();

  const kill = (/** @type {NodeJS.Signals} */ signal) => void (ended || child.kill(signal));
  const stop = async () => {
    kill("SIGCONT");
    kill("SIGTERM");
    const forced = setTimeout(() => kill("SIGKILL"), stopMsMax);
    child.ref();
    await exited;
    clearTimeout(forced);
  };

  const deadline = Date.now() + readyMsMax;
  while (!(await ready())) {
    if (!ended && Date.now() < deadline) {
      await sleep(pollMs);
      continue;
    }
    const why = ended ? "ended at once" : `did not answer within ${readyMsMax / 1000} s`;
    await stop();
    throw new Error(
      `${name} ${why}. The end of ${logFile}:\n${readFileSync(logFile, "utf8").trim().slice(-2_000)}`,
    );
  }
  return { pid: child.pid ?? 0, stop, kill, exited };
}
