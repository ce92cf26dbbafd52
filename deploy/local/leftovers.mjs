/** Processes that a run of tests left behind: a test that is cut off ends nothing of what it started. */
import { readdirSync, readFileSync } from "node:fs";

/** What the processes of a run inherit, with its folder as the value. */
export const runVariable = "LASTRO_TEST_RUN";

/** Only Linux tells the environment of a process; elsewhere none is found. @param {string} run @returns {readonly number[]} */
const processesOf = (run) =>
  folders("/proc")
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(`${runVariable}=${run}`))
    .map(Number);

/** @param {string} dir @returns {string[]} */
function folders(dir) {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** Empty where it has ended, or is somebody else's. @param {string} pid @returns {string[]} */
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return [];
  }
}

/** Kills what the run has left; returns how many there were. @param {string} run */
export function endLeftovers(run) {
  const left = processesOf(run);
  for (const pid of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
  return left.length;
}
