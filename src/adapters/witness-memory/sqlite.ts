/** What a witness has seen, in a SQLite file of its own: compare-and-set among processes, synced before it counts. Its loss lets the witness cosign a fork. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SeenTree, WitnessMemory } from "../../ports/witness.ts";

const busyTimeoutMs = 5_000;

export function openWitnessMemory(path: string): WitnessMemory & Disposable {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT`);
  const read = db.prepare("SELECT size, root FROM seen WHERE origin = ?");
  const begin = db.prepare("INSERT INTO seen (origin, size, root) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
  const move = db.prepare("UPDATE seen SET size = ?, root = ? WHERE origin = ? AND size = ? AND root = ?");
  return {
    seen(origin): SeenTree | undefined {
      const row = read.get(origin);
      return row && { size: Number(row["size"]), root: row["root"] as Uint8Array };
    },
    advance: (origin, from, to) =>
      (from === undefined
        ? begin.run(origin, to.size, to.root)
        : move.run(to.size, to.root, origin, from.size, from.root)
      ).changes === 1,
    [Symbol.dispose]: () => db.close(),
  };
}
