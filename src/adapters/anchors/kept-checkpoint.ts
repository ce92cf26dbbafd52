/** A checkpoint as a file that is never replaced. */
import { join } from "node:path";
import { anchoredFile } from "../../core/anchored-files.ts";
import { LastroError } from "../../core/errors.ts";
import { equalHashes } from "../../core/merkle.ts";
import { openCheckpoint } from "../../core/trust.ts";
import type { AnchoredNote } from "../../ports/anchor.ts";
import type { Randomness } from "../../ports/clock.ts";
import { keepFile } from "./keep-file.ts";

export type KeptCheckpoint = {
  readonly path: string;
  /** What lies there: this note, or the one that was kept first. */
  readonly bytes: Uint8Array;
  readonly isSameTree: boolean;
};

export async function keepCheckpoint(
  folder: string,
  { origin, size, root, note }: AnchoredNote,
  random: Randomness,
): Promise<KeptCheckpoint> {
  const path = join(folder, anchoredFile(origin, size));
  const bytes = await kept(path, Buffer.from(note), random);
  const first = openCheckpoint(Buffer.from(bytes).toString("utf8"))?.checkpoint;
  const isSameTree = first?.origin === origin && first.size === size && equalHashes(first.root, root);
  return { path, bytes, isSameTree };
}

/** Throws ANCHOR_UNAVAILABLE. */
export const kept = (path: string, bytes: Uint8Array, random: Randomness): Promise<Uint8Array> =>
  keepFile(path, bytes, random).catch((cause: unknown) => {
    const message = "the folder of anchored checkpoints cannot be written";
    throw new LastroError("ANCHOR_UNAVAILABLE", message, { cause });
  });
