/** CPU time and peak memory of a process, as Linux accounts for them. */
import { readFileSync } from "node:fs";

/** USER_HZ: fixed at 100 for what /proc shows. */
const ticksPerSecond = 100;

/** User and system time of all threads, in µs. */
export function cpuUsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
}

/** The most memory it ever held, in MB. */
export function peakMbOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1_024;
}
