/** Which keys signed a checkpoint, as the log's own entries name them. Good for basis `self`: whoever gives the entries gives the keys. */
import { announcementOf, parseLogEntry } from "./log-entries.ts";
import type { Sha256 } from "./merkle.ts";
import { keyIdText, parseVerifierKey } from "./signed-note.ts";
import { openCheckpoint } from "./trust.ts";

/** Where a key is named: by the first entry of the log, or by the control entry of its rotation. */
export type KeyLeaf = { readonly index: 0 } | { readonly control: string };

/** Verifier keys of those of its signers that the log names. `entryOf`: undefined where the log has no such entry. */
export async function namedSigners(
  sha256: Sha256,
  checkpoint: string,
  entryOf: (leaf: KeyLeaf) => Promise<string | undefined>,
): Promise<readonly string[]> {
  const opened = openCheckpoint(checkpoint);
  if (opened === undefined) return [];
  const { origin } = opened.checkpoint;
  const ids = opened.note.signatures.filter(({ name }) => name === origin).map(({ id }) => id);
  const first = vkeyIn(await entryOf({ index: 0 }));
  const firstId = first === undefined ? undefined : parseVerifierKey(sha256, first)?.id;
  const named: string[] = [];
  for (const id of new Set(ids)) {
    const vkey = id === firstId ? first : vkeyIn(await entryOf({ control: announcementOf(keyIdText(id)) }));
    if (vkey !== undefined) named.push(vkey);
  }
  return named;
}

function vkeyIn(text: string | undefined): string | undefined {
  const entry = text === undefined ? undefined : parseLogEntry(text);
  if (entry?.t !== "control") return undefined;
  return entry.kind === "genesis" || entry.kind === "key" ? entry.data.vkey : undefined;
}
