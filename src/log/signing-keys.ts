/** Which keys sign, read from the log itself: genesis and `key` entries announce one, a `retire` entry ends it. */
import { announcementOf, type ControlEntry, controlEntry } from "../core/log-entries.ts";
import type { Sha256 } from "../core/merkle.ts";
import { keyIdText, parseVerifierKey } from "../core/signed-note.ts";
import { controlKey, type LogStore, type PendingControl } from "../ports/log-store.ts";
import { LogHalted } from "./halt.ts";
import { entryOf } from "./tail.ts";

/** A key that this instance holds; an index is undefined while the entry is not in the log. */
export type SigningKey = {
  readonly vkey: string;
  /** 8 hex digits: the id in its verifier key. */
  readonly id: string;
  readonly announcedAt: number | undefined;
  readonly retiredAt: number | undefined;
};

export type Genesis = { readonly origin: string; readonly vkey: string };

const retirement = (id: string): string => `retire.${id}`;

/** Index 0. Undefined while the log is empty. */
export async function readGenesis(log: LogStore, signal: AbortSignal): Promise<Genesis | undefined> {
  const [row] = await log.rows(0, 1, signal);
  if (row === undefined) return undefined;
  const entry = entryOf(row);
  if (entry.t !== "control" || entry.kind !== "genesis") throw new LogHalted("GENESIS_INVALID", "index 0");
  return entry.data;
}

/** Of the keys that this instance holds, oldest first. Halts when none of them is the log's. */
export async function readSigningKeys(
  log: LogStore,
  sha256: Sha256,
  genesis: Genesis,
  vkeys: readonly string[],
  signal: AbortSignal,
): Promise<readonly SigningKey[]> {
  const held = vkeys.map((vkey) => ({ vkey, id: idOf(sha256, vkey) }));
  const wanted = held.flatMap(({ id }) => [controlKey(announcementOf(id)), controlKey(retirement(id))]);
  const indexes = await log.indexes(wanted, signal);
  const keys = held.map(({ vkey, id }) => ({
    vkey,
    id,
    announcedAt: vkey === genesis.vkey ? 0 : indexes.get(controlKey(announcementOf(id))),
    retiredAt: indexes.get(controlKey(retirement(id))),
  }));
  if (keys.every(({ announcedAt }) => announcedAt === undefined))
    throw new LogHalted("KEY_UNKNOWN", `${keys.map(({ id }) => id).join(", ")} of ${genesis.origin}`);
  return keys;
}

function idOf(sha256: Sha256, vkey: string): string {
  const key = parseVerifierKey(sha256, vkey);
  if (key === undefined) throw new LogHalted("KEY_UNKNOWN", `the signer's verifier key ${vkey}`);
  return keyIdText(key.id);
}

/** Verifier keys that sign a tree of `size` leaves: from the one that announces them to the one before their retirement. */
export const signersOf = (keys: readonly SigningKey[], size: number): readonly string[] =>
  keys
    .filter(({ announcedAt = size, retiredAt = size }) => announcedAt < size && retiredAt >= size)
    .map(({ vkey }) => vkey);

/** The control entry that a rotation needs next, if any: announce a new key; once both signed long enough, retire the old one. */
export async function rotationStep(
  log: LogStore,
  keys: readonly SigningKey[],
  overlapMs: number,
  nowMs: number,
  signal: AbortSignal,
): Promise<PendingControl | undefined> {
  const unknown = keys.find(({ announcedAt }) => announcedAt === undefined);
  if (unknown !== undefined)
    return control({
      kind: "key",
      id: announcementOf(unknown.id),
      atMs: nowMs,
      data: { vkey: unknown.vkey },
    });
  const active = keys.filter(({ retiredAt }) => retiredAt === undefined);
  const [old, next] = active;
  if (old === undefined || next?.announcedAt === undefined) return undefined;
  const [row] = await log.rows(next.announcedAt, next.announcedAt + 1, signal);
  if (row === undefined) throw new LogHalted("INDEX_ABSENT", `index ${next.announcedAt}`);
  if (nowMs - entryOf(row).atMs < overlapMs) return undefined;
  return control({ kind: "retire", id: retirement(old.id), atMs: nowMs, data: { key: old.id } });
}

const control = (entry: ControlEntry): PendingControl => ({ id: entry.id, entry: controlEntry(entry) });
