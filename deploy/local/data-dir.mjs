/** The data folder belongs to one launcher at a time; what a killed launcher left running in it is ended by the next. */
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sleep } from "./child.mjs";
import { root } from "./prepare.mjs";

const leftoverMsMax = 15_000;

/** @param {string} path */
const linkTarget = (path) => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

/** @param {number} pid */
const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
};

/** Process numbers are used again: on Linux a launcher is one only if its command line says so. @param {number} pid */
const isLauncher = (pid) => {
  if (!isAlive(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("start.mjs");
  } catch {
    return true;
  }
};

/** @param {string} file @returns {{ pid: number, processes: number[] } | undefined} */
const readLock = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
};

/** Ends what works in this data folder or in the checkout, in the order given: the service before its servers.
 * @param {string[]} folders @param {number[]} pids */
async function endLeftovers(folders, pids) {
  const real = folders.map((folder) => realpathSync(folder));
  for (const pid of pids) {
    const cwd = linkTarget(`/proc/${pid}/cwd`);
    if (cwd === undefined || !real.some((folder) => cwd === folder || cwd.startsWith(`${folder}/`))) continue;
    process.kill(pid, "SIGTERM");
    const deadline = Date.now() + leftoverMsMax;
    while (isAlive(pid) && Date.now() < deadline) await sleep(50);
  }
}

/**
 * Takes the data folder or says who has it.
 * @param {string} dataDir absolute
 * @returns {Promise<{ note(processes: number[]): void, release(): void }>}
 */
export async function takeDataDir(dataDir) {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, "launcher.lock");
  const note = (/** @type {number[]} */ processes) => {
    writeFileSync(`${file}.new`, JSON.stringify({ pid: process.pid, processes }));
    renameSync(`${file}.new`, file);
  };
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, processes: [] }), { flag: "wx" });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    const held = readLock(file);
    if (held !== undefined && held.pid !== process.pid && isLauncher(held.pid))
      throw new Error(
        `Lastro already runs from ${dataDir} (process ${held.pid}): stop that one with Ctrl-C, or set LASTRO_DATA_DIR to another folder`,
      );
    await endLeftovers([dataDir, root], held?.processes ?? []);
    note([]);
  }
  return { note, release: () => rmSync(file, { force: true }) };
}
