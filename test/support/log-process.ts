/** The log of a service that has ended, in its store. */
import { checkLogged, checkPrefixes } from "./log-checker.ts";
import type { World } from "./world.ts";

const readMsMax = 120_000;

/** Opens the store (no service may run on SQLite) and checks its log, of which each of these notes must be a prefix. */
export async function checkWorldLog(world: World, notes: readonly string[]): Promise<void> {
  await using store = await world.openStore();
  await checkPrefixes(store, await checkLogged(store), notes);
}

/** The checkpoint that lies in the store. */
export async function publishedNote(world: World): Promise<readonly string[]> {
  await using store = await world.openStore();
  const checkpoint = await store.log.checkpoint("latest", AbortSignal.timeout(readMsMax));
  return checkpoint === undefined ? [] : [checkpoint.note];
}
