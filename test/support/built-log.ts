/** A log laid by hand into a store: rows, full tiles, head and checkpoints under a key of its own. Roots come from all leaves in memory, never from the reader that is tested. */
import { hash } from "node:crypto";
import { formatCheckpoint } from "../../src/core/checkpoint.ts";
import type { Src } from "../../src/core/ids.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { controlEntry, coverageEntry } from "../../src/core/log-entries.ts";
import { rootOf } from "../../src/core/merkle.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { formatNote, formatVerifierKey, type VerifierKey } from "../../src/core/signed-note.ts";
import { fullTiles, joinHashes, tileWidth } from "../../src/core/tiles.ts";
import {
  type CheckpointName,
  controlKey,
  coverageKey,
  type LogHead,
  type LogRow,
  type LogStore,
  logRowsMax,
  type PublishedCheckpoint,
} from "../../src/ports/log-store.ts";
import { sha256, testSigner } from "./log.ts";

const signal = new AbortController().signal;
const origin = "lastro.test/0123456789abcdef";
const atMs = Date.parse("2026-11-01T00:00:00Z");
/** Of an empty outcome list. */
const nothingLeftOut = hash("sha256", "", "base64url");

export type BuiltLog = {
  readonly key: VerifierKey;
  size(): number;
  rows(): readonly LogRow[];
  /** Of the first `size` leaves. */
  rootAt(size: number): Uint8Array;
  /** The first entry, which names the key that signs. */
  genesis(): Promise<void>;
  /** Control entries that say nothing. */
  heartbeats(count: number): Promise<void>;
  /** Records of offsets from `from` on, each the next offset, and the entry that covers them and tells when they were logged. */
  records(
    src: Src,
    from: number,
    records: readonly Pick<RecordRow, "rid" | "entry">[],
    loggedAtMs?: number,
  ): Promise<void>;
  /** Lays full tiles and head, and publishes a checkpoint over all leaves. */
  publish(name?: CheckpointName): Promise<PublishedCheckpoint>;
};

export function buildLog(log: LogStore): BuiltLog {
  const signer = testSigner(origin);
  const witness = testSigner("witness.test", "cosignature/v1");
  const rows: LogRow[] = [];
  let head: LogHead | undefined;
  const rootAt = (size: number): Uint8Array =>
    rootOf(
      sha256,
      rows.slice(0, size).map((row) => row.leafHash),
    );

  async function append(leaves: readonly Pick<LogRow, "key" | "entry">[], texts: readonly string[]) {
    const added = leaves.map((leaf, at) => ({
      ...leaf,
      index: rows.length + at,
      leafHash: leafHash(sha256, texts[at] ?? ""),
    }));
    for (let at = 0; at < added.length; at += logRowsMax) {
      const verdict = await log.append(added.slice(at, at + logRowsMax), signal);
      if (verdict !== "done") throw new Error(`rows from ${at} on: ${verdict}`);
    }
    for (const row of added) rows.push(row);
  }

  /** The n-th subtree of 256^level leaves. */
  const blockRoot = (level: number, n: number): Uint8Array => {
    const leaves = tileWidth ** level;
    return rootOf(
      sha256,
      rows.slice(n * leaves, (n + 1) * leaves).map((row) => row.leafHash),
    );
  };

  return {
    key: signer.key,
    size: () => rows.length,
    rows: () => rows,
    rootAt,
    async genesis() {
      const vkey = formatVerifierKey(sha256, signer.key);
      const entry = controlEntry({ kind: "genesis", id: "genesis", atMs, data: { origin, vkey } });
      await append([{ key: controlKey("genesis"), entry }], [entry]);
    },
    async heartbeats(count) {
      const ids = Array.from({ length: count }, (_, at) => `hb-${rows.length + at}`);
      const entries = ids.map((id) => controlEntry({ kind: "heartbeat", id, atMs, data: {} }));
      await append(
        ids.map((id, at) => ({ key: controlKey(id), entry: entries[at] })),
        entries,
      );
    },
    async records(src, from, records, loggedAtMs = atMs) {
      const n = records.length;
      const counts = { stored: n, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
      const covers = coverageEntry({
        atMs: loggedAtMs, src, from, to: from + n, first: rows.length, n, counts, list: nothingLeftOut,
      }); // biome-ignore format: one line of fields
      await append(
        [
          ...records.map(({ rid }) => ({ key: rid, entry: undefined })),
          { key: coverageKey(src, from), entry: covers },
        ],
        [...records.map(({ entry }) => entry), covers],
      );
    },
    async publish(name = "latest") {
      const size = rows.length;
      for (const { level, n } of fullTiles(head?.size ?? 0, size)) {
        const hashes = Array.from({ length: tileWidth }, (_, at) => blockRoot(level, n * tileWidth + at));
        await log.putTile({ level, n }, joinHashes(hashes), signal);
      }
      const next = { size, root: rootAt(size) };
      if (head?.size !== size && !(await log.moveHead(head, next, signal)))
        throw new Error("the head is lost");
      head = next;
      const text = formatCheckpoint({ origin, ...next });
      const own = signer.signature(text);
      const signatures = name === "latest" ? [own] : [own, witness.signature(text, atMs / 1_000)];
      const published = { ...next, note: formatNote({ text, signatures }), signatures: signatures.length };
      if (!(await log.publish(name, published, signal))) throw new Error("not published");
      return published;
    },
  };
}
