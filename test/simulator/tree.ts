/** Watches the transparency log: after each write, its rows, head and checkpoints are held against what was there before. */

import { parseRid, type Src, srcOf } from "../../src/core/ids.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { equalHashes, rootOf } from "../../src/core/merkle.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { LogHead, LogStore } from "../../src/ports/log-store.ts";
import { never } from "../support/log-world.ts";
import { assert } from "./violation.ts";

const limit = 10_000;

export type TreeSeen = {
  /** Throws Violation. `mark`: where accounting of a partition ends at least. */
  look(mark: (src: Src) => number): Promise<void>;
  /** A checkpoint is signed: it must be what lies in the store. */
  signs(size: number, root: Uint8Array): void;
  /** Leaves of the head, as of the last look. */
  size(): number;
};

/** A store that went back is watched by another one; what was signed stays signed. */
export function watchTree(log: LogStore, signed: LogHead[]): TreeSeen {
  let keys: readonly string[] = [];
  let hashes: readonly Uint8Array[] = [];
  let head = 0;
  const published = { latest: 0, witnessed: 0 };
  const checkRoot = (what: string, { size, root }: LogHead): void =>
    assert(
      size <= hashes.length && equalHashes(rootOf(sha256, hashes.slice(0, size)), root),
      () => `${what} of ${size} leaves is not the tree of the ${hashes.length} that are stored`,
    );
  return {
    size: () => head,
    signs(size, root) {
      checkRoot("a signed checkpoint", { size, root });
      signed.push({ size, root });
    },
    async look(mark) {
      const leaves = await log.leaves(0, limit, never);
      const now = leaves.map(({ key }) => key);
      assert(
        leaves.every(({ index }, at) => index === at),
        () => "indexes of the log are not dense",
      );
      assert(new Set(now).size === now.length, () => "a key has two indexes");
      assert(
        keys.every((key, at) => key === now[at]),
        () => "a row of the log was changed or is gone",
      );
      for (const { key, stored, leafHash: hash } of leaves.slice(keys.length)) {
        assert(
          equalHashes(leafHash(sha256, stored ?? ""), hash),
          () => `${key}: another leaf than its entry`,
        );
        const at = parseRid(key);
        const isDue = at === undefined || at.offset < mark(srcOf(at.topicId, at.partition));
        assert(isDue, () => `${key} is logged before it is accounted for`);
      }
      const before = keys.length;
      [keys, hashes] = [now, leaves.map(({ leafHash: hash }) => hash)];
      const at = await log.head(never);
      assert((at?.size ?? 0) >= head, () => `the head went back from ${head} to ${at?.size}`);
      if (at !== undefined && at.size !== head) checkRoot("the head", at);
      head = at?.size ?? 0;
      for (const name of ["latest", "witnessed"] as const) {
        const size = published[name];
        const checkpoint = await log.checkpoint(name, never);
        const next = checkpoint?.size ?? 0;
        assert(next >= size && next <= head, () => `the ${name} checkpoint went from ${size} to ${next}`);
        if (checkpoint !== undefined && next !== size) checkRoot(`the ${name} checkpoint`, checkpoint);
        published[name] = next;
      }
      for (const one of signed)
        if (one.size > before && one.size <= hashes.length) checkRoot("an earlier checkpoint", one);
    },
  };
}
