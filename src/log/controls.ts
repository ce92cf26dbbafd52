/** Control entries that enter the log: those in line, those of a key rotation, and the heartbeat of a log to which nothing else happens. */

import { leafHash } from "../core/leaf.ts";
import { controlEntry, parseLogEntry } from "../core/log-entries.ts";
import type { Sha256 } from "../core/merkle.ts";
import { controlKey, type LogRow, type LogStore, type PendingControl } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";

/** Entries of one pass. */
export const controlsMax = 100;

export function controlRow({ id, entry }: PendingControl, index: number, sha256: Sha256): LogRow {
  return { index, key: controlKey(id), leafHash: leafHash(sha256, entry), entry };
}

/** In the order they were put in line. */
export async function pendingControls(
  log: LogStore,
  signal: AbortSignal,
): Promise<readonly PendingControl[]> {
  const pending = await log.pendingControls(controlsMax, signal);
  for (const { id, entry } of pending) {
    const parsed = parseLogEntry(entry);
    if (parsed?.t !== "control" || parsed.id !== id) throw new LogHalted("CONTROL_INVALID", id);
  }
  return pending;
}

/**
 * Due when the last entry's time is `heartbeatMs` away from now, in either direction: it holds over restarts, because that time lies in the
 * log, and a clock that was set back silences it for no more than twice the interval.
 */
export const isHeartbeatDue = (lastAtMs: number, nowMs: number, heartbeatMs: number): boolean =>
  Math.abs(nowMs - lastAtMs) >= heartbeatMs;

/** Named after its index, so that two instances cannot append it twice. */
export function heartbeat(index: number, nowMs: number): PendingControl {
  const id = `heartbeat.${index}`;
  return { id, entry: controlEntry({ kind: "heartbeat", id, atMs: nowMs, data: {} }) };
}
