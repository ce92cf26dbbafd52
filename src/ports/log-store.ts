/** Where the transparency log lies: `log_index`, full tiles, the head, the published checkpoints. Its unique indexes make a fork impossible. */
import { LastroError } from "../core/errors.ts";
import type { Rid, Src } from "../core/ids.ts";
import { equalHashes } from "../core/merkle.ts";
import type { TileId } from "../core/tiles.ts";

/**
 * What lies at an index of the log, and is there once: a record by its rid; a coverage entry by source and first offset (16 digits,
 * so that keys of a source sort by offset); a control entry by its id.
 */
export type LogKey = Rid | `cov:${string}` | `ctl:${string}`;

export const coverageKey = (src: Src, from: number): LogKey => `cov:${src}#${String(from).padStart(16, "0")}`;
export const controlKey = (id: string): LogKey => `ctl:${id}`;

export const isRecordKey = (key: LogKey): key is Rid => !key.startsWith("cov:") && !key.startsWith("ctl:");

export type LogRow = {
  readonly index: number;
  readonly key: LogKey;
  /** SHA-256(0x00 ‖ entry), 32 bytes. */
  readonly leafHash: Uint8Array;
  /** Of coverage and control entries. A record's entry lies with the record. */
  readonly entry: string | undefined;
};

/** A leaf with the entry that was stored for it, wherever it lies; undefined: the record is gone or was never there. */
export type LogLeaf = LogRow & { readonly stored: string | undefined };

/** A record that waits for its index: what the sequencer needs of it. */
export type LoggableRecord = {
  readonly rid: Rid;
  readonly offset: number;
  readonly entry: string;
  readonly leafHash: Uint8Array;
};

/** Size in leaves and RFC 6962 root (32 bytes). */
export type LogHead = { readonly size: number; readonly root: Uint8Array };

/** `latest`: what this log signed. `witnessed`: the same with the cosignatures that k witnesses gave. */
export type CheckpointName = "latest" | "witnessed";
export type PublishedCheckpoint = LogHead & {
  /** The signed note, verbatim. */
  readonly note: string;
  /** Signature lines in it: at an equal size only more of them replace it. */
  readonly signatures: number;
};

/** The rule of `publish`. Throws LOG_HALTED at the same size with another root. */
export function isForward(before: PublishedCheckpoint | undefined, next: PublishedCheckpoint): boolean {
  if (before === undefined || next.size > before.size) return true;
  if (next.size < before.size) return false;
  if (!equalHashes(before.root, next.root))
    throw new LastroError("LOG_HALTED", `the published checkpoint at size ${next.size} has another root`);
  return next.signatures > before.signatures;
}

/** Waiting to enter the log: its id makes it enter once. */
export type PendingControl = { readonly id: string; readonly entry: string };

/**
 * Contract. Everything read is durable (MongoDB: read concern majority) and everything acknowledged is durable. Nothing here is ever
 * changed or removed once it is in, but for the head, the checkpoints, the lease and the waiting control entries.
 * Throws STORE_UNAVAILABLE; a call that throws may have had its effect, `append` any prefix of it.
 */
export type LogStore = {
  /** 1 + the highest index; 0 while there is none. */
  size(signal: AbortSignal): Promise<number>;
  /** Ordered insert. `taken`: an index or a key was there already, and nothing behind it went in. */
  append(rows: readonly LogRow[], signal: AbortSignal): Promise<"done" | "taken">;
  /** Rows of [from, to), ascending; indexes that are missing are absent. At most `logRowsMax` a call. */
  rows(from: number, to: number, signal: AbortSignal): Promise<readonly LogRow[]>;
  /** The same with the entries as they are stored now. */
  leaves(from: number, to: number, signal: AbortSignal): Promise<readonly LogLeaf[]>;
  /** Indexes of these keys; keys without one are absent. */
  indexes(keys: readonly LogKey[], signal: AbortSignal): Promise<ReadonlyMap<LogKey, number>>;
  /** The coverage entry of the source with the highest offset that began at or before `from`; undefined: none. */
  coverage(src: Src, from: number, signal: AbortSignal): Promise<LogRow | undefined>;
  /** Coverage entries of the source that begin in [from, to), ascending, at most `limit`. */
  coverages(
    src: Src,
    from: number,
    to: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly LogRow[]>;
  /** Records of the source with offsets in [from, to), ascending, at most `limit`. */
  loggable(
    src: Src,
    from: number,
    to: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly LoggableRecord[]>;

  head(signal: AbortSignal): Promise<LogHead | undefined>;
  /** Compare-and-set; `from` undefined: there is none yet. */
  moveHead(from: LogHead | undefined, to: LogHead, signal: AbortSignal): Promise<boolean>;

  /** A full tile, 8,192 bytes, put if absent. `different`: other bytes lie there. */
  putTile(tile: TileId, hashes: Uint8Array, signal: AbortSignal): Promise<"stored" | "same" | "different">;
  tile(tile: TileId, signal: AbortSignal): Promise<Uint8Array | undefined>;

  checkpoint(name: CheckpointName, signal: AbortSignal): Promise<PublishedCheckpoint | undefined>;
  /** Publishes only forward: a larger size, or the same size and root with more signatures. False: what lies there is as good or newer. Throws LOG_HALTED at the same size with another root. */
  publish(name: CheckpointName, checkpoint: PublishedCheckpoint, signal: AbortSignal): Promise<boolean>;

  /** Puts a control entry in line; an id that is there stays as it is. */
  queueControl(control: PendingControl, signal: AbortSignal): Promise<void>;
  /** In the order they were put in line; one that has its index is no longer listed. */
  pendingControls(limit: number, signal: AbortSignal): Promise<readonly PendingControl[]>;

  /** Takes or extends the lease until `untilMs`; false while another holder's has not run out at `nowMs`. It saves work; nothing safe rests on it. Once it is true, what is read holds all that was acknowledged before: after an election of MongoDB's it need not until then. */
  lease(holder: string, nowMs: number, untilMs: number, signal: AbortSignal): Promise<boolean>;
};

/** Rows of one call. */
export const logRowsMax = 10_000;
