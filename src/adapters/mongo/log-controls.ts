/** Control entries that wait for their index, in line. One leaves the line only when the head covers its index: what lies behind the head may still be lost. */
import { LastroError } from "../../core/errors.ts";
import { controlKey, type PendingControl } from "../../ports/log-store.ts";
import type { Collections, ReadOptions } from "./collections.ts";
import { insertOnce } from "./follow-ups.ts";
import { readIndexes } from "./log-rows.ts";
import { readHead } from "./log-state.ts";

/** Each attempt but the last found its place in line taken by another process. */
const placeAttemptsMax = 20;
/** Entries looked at when the line is cleared. */
const clearedMax = 1_000;

export async function queueControl(
  collections: Collections,
  { id, entry }: PendingControl,
  options: ReadOptions,
): Promise<void> {
  const { logControls } = collections;
  await clearLogged(collections, options);
  for (let attempt = 0; attempt < placeAttemptsMax; attempt++) {
    options.signal.throwIfAborted();
    if ((await logControls.findOne({ _id: id }, options)) !== null) return;
    const last = await logControls.findOne({}, { ...options, sort: { place: -1 } });
    // Whoever took the place may not be seen yet by a majority read, so the next attempt asks for one further on.
    const place = (last?.place ?? 0) + 1 + attempt;
    if (await insertOnce(logControls, { _id: id, place, entry })) return;
  }
  throw new LastroError("STORE_UNAVAILABLE", "too many processes put control entries in line; try again");
}

async function clearLogged(collections: Collections, options: ReadOptions): Promise<void> {
  const { logControls } = collections;
  const size = (await readHead(collections, options))?.size ?? 0;
  const queued = await logControls.find({}, options).sort({ place: 1 }).limit(clearedMax).toArray();
  const keys = queued.map(({ _id }) => controlKey(_id));
  const indexes = await readIndexes(collections, keys, options);
  const covered = queued.map(({ _id }) => _id).filter((id) => (indexes.get(controlKey(id)) ?? size) < size);
  if (covered.length > 0) await logControls.deleteMany({ _id: { $in: covered } });
}

export async function pendingControls(
  collections: Collections,
  limit: number,
  options: ReadOptions,
): Promise<readonly PendingControl[]> {
  const pending: PendingControl[] = [];
  for (let after = 0; pending.length < limit; ) {
    const page = await collections.logControls
      .find({ place: { $gt: after } }, options)
      .sort({ place: 1 })
      .limit(limit)
      .toArray();
    const keys = page.map(({ _id }) => controlKey(_id));
    const logged = await readIndexes(collections, keys, options);
    for (const { _id, entry } of page) if (!logged.has(controlKey(_id))) pending.push({ id: _id, entry });
    after = page.at(-1)?.place ?? after;
    if (page.length < limit) break;
  }
  return pending.slice(0, limit);
}
