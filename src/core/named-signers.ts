/** Which keys signed a checkpoint, as the log's own entries name them. Good for basis `self`: whoever gives the entries gives the keys. */
import { announcementOf, parseLogEntry, vkeyOf } from "./log-entries.ts";
import type { Sha256 } from "./merkle.ts";
import { keyIdText, parseVerifierKey } from "./signed-note.ts";
import { openCheckpoint } from "./trust.ts";

/** Where a key is named: by the first entry of the log, or by the control entry of its rotation. */
export type KeyLeaf = { readonly index: 0 } | { readonly control: string };

/** What names a key: the entry's index and text. */
export type KeyEntry = { readonly index: number; readonly entry: string };
export type NamedSigner = { readonly vkey: string; readonly by: KeyEntry };

/** Those of its signers that the log names. `entryOf`: undefined where the log has no such entry. */
export async function namedSigners(
  sha256: Sha256,
  checkpoint: string,
  entryOf: (leaf: KeyLeaf) => Promise<KeyEntry | undefined>,
): Promise<readonly NamedSigner[]> {
  const opened = openCheckpoint(checkpoint);
  if (opened === undefined) return [];
  const { origin } = opened.checkpoint;
  const ids = opened.note.signatures.filter(({ name }) => name === origin).map(({ id }) => id);
  const first = signerIn(await entryOf({ index: 0 }));
  const firstId = first === undefined ? undefined : parseVerifierKey(sha256, first.vkey)?.id;
  const named: NamedSigner[] = [];
  for (const id of new Set(ids)) {
    const signer =
      id === firstId ? first : signerIn(await entryOf({ control: announcementOf(keyIdText(id)) }));
    if (signer !== undefined) named.push(signer);
  }
  return named;
}

function signerIn(by: KeyEntry | undefined): NamedSigner | undefined {
  const vkey = by && vkeyOf(parseLogEntry(by.entry));
  return by === undefined || vkey === undefined ? undefined : { vkey, by };
}
