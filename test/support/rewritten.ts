/** What whoever holds store and signing key can do: change a record, and make everything above it fit. */
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { rootOf } from "../../src/core/merkle.ts";
import { formatNote, parseNote } from "../../src/core/signed-note.ts";
import { joinHashes, tileWidth } from "../../src/core/tiles.ts";
import { type CheckedLog, sha256 } from "./checked-log.ts";
import { never } from "./log-world.ts";

/** Of the record that is changed. */
export const rewrittenIndex = 10;

/** Another event type for one record, and everything above it made to fit, the signature included. */
export async function rewrite({ db, store, world }: CheckedLog): Promise<void> {
  const [row] = await store.log.leaves(rewrittenIndex, rewrittenIndex + 1, never);
  const entry = row?.stored?.replace("account.updated", "account.enabled") ?? "";
  if (entry === row?.stored) throw new Error(`no record with that event type lies at ${rewrittenIndex}`);
  const leaf = leafHash(sha256, entry);
  db.prepare(
    "UPDATE records SET entry = ?, leaf_hash = ?, event_type = 'account.enabled' WHERE leaf_hash = ?",
  ).run(entry, leaf, row?.leafHash ?? null);
  db.prepare("UPDATE log_index SET leaf_hash = ? WHERE idx = ?").run(leaf, rewrittenIndex);
  const leaves = (await store.log.rows(0, await store.log.size(never), never)).map(
    ({ leafHash: hash }) => hash,
  );
  const root = rootOf(sha256, leaves);
  db.prepare("UPDATE log_tiles SET hashes = ? WHERE level = 0 AND n = 0").run(
    joinHashes(leaves.slice(0, tileWidth)),
  );
  db.prepare("UPDATE log_head SET root = ?").run(root);
  const published = await store.log.checkpoint("latest", never);
  const before = parseNote(published?.note ?? "");
  const [name = ""] = before?.text.split("\n") ?? [];
  const seed = Buffer.from(JSON.parse(readFileSync(world.keyFile, "utf8")).keys[0], "base64url");
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const text = formatCheckpoint({ origin: name, size: leaves.length, root });
  const bytes = sign(null, Buffer.from(text), key);
  const note = formatNote({ text, signatures: [{ name, id: before?.signatures[0]?.id ?? 0, bytes }] });
  db.prepare("UPDATE log_checkpoints SET root = ?, note = ? WHERE name = 'latest'").run(root, note);
  db.exec("DELETE FROM log_checkpoints WHERE name = 'witnessed'");
}
