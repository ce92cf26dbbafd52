/** An export that proves itself: each record's entry and sealed body with its inclusion proof under one checkpoint, as `lastro verify` reads it. Each proof is tried before it is given. */
import { toBase64 } from "../core/base64.ts";
import { parseCheckpoint } from "../core/checkpoint.ts";
import { LastroError } from "../core/errors.ts";
import { evidenceVersion } from "../core/evidence.ts";
import { inclusionPath, verifyInclusion } from "../core/merkle.ts";
import { namedSigners } from "../core/named-signers.ts";
import { parseNote } from "../core/signed-note.ts";
import { sha256 } from "../lib/sha256.ts";
import type { QueryDeps } from "./deps.ts";
import { controlIndex, readEntries } from "./log-leaf.ts";
import type { Found } from "./log-matches.ts";
import { proven } from "./prove.ts";

const howTo =
  "lastro verify record RID --bundle FILE checks every entry, proof and body in here without asking anybody; with --vkey and --pin it does so on the keys and checkpoints that you hold. docs/transparency.md says how to do it by hand.";

/** Up to the list of entries. */
export async function evidenceHead(
  { log }: QueryDeps,
  checkpoint: string,
  signal: AbortSignal,
): Promise<string> {
  const signers = await namedSigners(sha256, checkpoint, async (leaf) => {
    const index = "index" in leaf ? leaf.index : await controlIndex(log, leaf.control, signal);
    return index === undefined ? undefined : (await readEntries(log, index, index + 1, signal))[0];
  });
  const vkeys = signers.map(({ vkey }) => vkey);
  const head = JSON.stringify({ t: "lastro-evidence", v: evidenceVersion, verify: howTo, checkpoint, vkeys });
  return `${head.slice(0, -1)},"entries":[\n`;
}
export const evidenceFoot = '\n],"outcomes":[],"consistency":[]}\n';

export async function evidenceEntry(
  { log }: QueryDeps,
  checkpoint: string,
  { index, row, view }: Found,
  signal: AbortSignal,
): Promise<string> {
  const tree = parseCheckpoint(parseNote(checkpoint)?.text ?? "");
  if (tree === undefined) throw new LastroError("INTERNAL", "the export has no checkpoint");
  const { size, root } = tree;
  const path = await proven(log, signal, async (read) => {
    const made = await inclusionPath(sha256, index, size, read);
    return verifyInclusion(sha256, { index, size, leafHash: view.leafHash, root, path: made })
      ? made
      : undefined;
  });
  return JSON.stringify({ index, entry: row.entry, path: path.map(toBase64), body: toBase64(row.body) });
}
