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

/** @param {string} path */
const textOf = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** When a process began: the boot and the ticks since then, which no later process under its number shares. Undefined where that cannot be told.
 * @param {number} pid @returns {string | undefined} */
function beginningOf(pid) {
  const boot = textOf("/proc/sys/kernel/random/boot_id");
  const stat = textOf(`/proc/${pid}/stat`);
  if (boot === undefined || stat === undefined) return undefined;
  // The name of the program stands in brackets and may hold spaces and brackets; field 3 follows it.
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3];
  return ticks && `${boot.trim()}/${ticks}`;
}

/** @typedef {{ pid: number, began: string | undefined }} Noted */

/** Launchers before this one noted numbers alone. @param {string} file @returns {{ pid: number, processes: (Noted | number)[] } | undefined} */
const readLock = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8")) ?? undefined;
  } catch {
    return undefined;
  }
};

const ours = ["kafka.Kafka", "redis-server", join(root, "src", "main.ts")];

/** The number of a process that was noted, if that process and no other has it still. @param {Noted | number} noted */
function leftoverPid(noted) {
  if (typeof noted !== "number") {
    const { pid, began } = noted;
    return began !== undefined && began === beginningOf(pid) ? pid : undefined;
  }
  const command = textOf(`/proc/${noted}/cmdline`);
  return command !== undefined && ours.some((name) => command.includes(name)) ? noted : undefined;
}

/** Ends what works in this data folder or in the checkout, in the order given: the service before its servers. Where /proc is missing nothing is.
 * @param {string[]} folders @param {(Noted | number)[]} processes */
async function endLeftovers(folders, processes) {
  const real = folders.map((folder) => realpathSync(folder));
  for (const noted of processes) {
    const pid = leftoverPid(noted);
    if (pid === undefined) continue;
    const cwd = linkTarget(`/proc/${pid}/cwd`);
    if (cwd === undefined || !real.some((folder) => cwd === folder || cwd.startsWith(`${folder}/`))) continue;
    process.kill(pid, "SIGTERM");
    const deadline = Date.now() + leftoverMsMax;
    while (isAlive(pid) && Date.now() < deadline) await sleep(50);
  }
}

/**
 * Takes the data folder or says who has it. What is noted last is ended first.
 * @param {string} dataDir absolute
 * @returns {Promise<{ note(pid: number): void, release(): void }>}
 */
export async function takeDataDir(dataDir) {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, "launcher.lock");
  /** @type {Noted[]} */
  const processes = [];
  const text = () => JSON.stringify({ pid: process.pid, processes });
  const write = () => {
    writeFileSync(`${file}.new`, text());
    renameSync(`${file}.new`, file);
  };
  try {
    writeFileSync(file, text(), { flag: "wx" });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    const held = readLock(file);
    if (held !== undefined && held.pid !== process.pid && isLauncher(held.pid))
      throw new Error(
        `Lastro already runs from ${dataDir} (process ${held.pid}): stop that one with Ctrl-C, or set LASTRO_DATA_DIR to another folder`,
      );
    await endLeftovers([dataDir, root], held?.processes ?? []);
    write();
  }
  return {
    note(pid) {
      processes.unshift({ pid, began: beginningOf(pid) });
      write();
    },
    release: () => rmSync(file, { force: true }),
  };
}
