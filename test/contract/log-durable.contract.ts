/** Contract suite of what the log's store keeps when it is closed, and of what it tells when somebody changed it behind its back. Adapters that outlive a process pass it unchanged. */
import { hash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import type { Rid } from "../../src/core/ids.ts";
import { controlKey, type LogRow } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { makeScene } from "../support/records.ts";

const signal = new AbortController().signal;
const sha256 = (text: string): Uint8Array => hash("sha256", text, "buffer");

/** Where a store lies; changes are made while it is closed, as by somebody who has the server but not this program. */
export type StorePlace = AsyncDisposable & {
  open(): Promise<Store>;
  /** Writes another entry over a record's; undefined removes the record. */
  overwriteEntry(rid: Rid, entry: string | undefined): Promise<void>;
  removeLogRow(index: number): Promise<void>;
};

export function logDurableContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name}: the log of a store that was closed`, () => {
    test("is there when it is opened again", async () => {
      await using place = await makePlace();
      const scene = makeScene();
      const stored = scene.record({ offset: 0 });
      const head = { size: 2, root: sha256("root") };
      const checkpoint = { ...head, note: "note", signatures: 2 };
      const tile = Buffer.alloc(8_192, 3);
      const rows: LogRow[] = [
        { index: 0, key: controlKey("genesis"), leafHash: sha256("0"), entry: "{}" },
        { index: 1, key: stored.rid, leafHash: stored.leafHash, entry: undefined },
      ];
      {
        await using store = await place.open();
        await store.records.append(scene.batch({ records: [stored] }), signal);
        await store.log.append(rows, signal);
        await store.log.moveHead(undefined, head, signal);
        await store.log.putTile({ level: 0, n: 0 }, tile, signal);
        await store.log.publish("latest", checkpoint, signal);
        await store.log.queueControl({ id: "a", entry: "{}" }, signal);
        await store.log.lease("one", 0, 1_000, signal);
      }
      await using store = await place.open();
      expect(await store.log.size(signal)).toBe(2);
      const leaves = await store.log.leaves(0, 2, signal);
      expect(leaves.map((leaf) => leaf.stored)).toEqual(["{}", stored.entry]);
      expect(leaves.map(({ leafHash }) => [...leafHash])).toEqual(rows.map(({ leafHash }) => [...leafHash]));
      expect((await store.log.head(signal))?.size).toBe(2);
      expect(await store.log.putTile({ level: 0, n: 0 }, tile, signal)).toBe("same");
      expect(await store.log.publish("latest", checkpoint, signal)).toBe(false);
      expect(await store.log.pendingControls(9, signal)).toEqual([{ id: "a", entry: "{}" }]);
      expect(await store.log.lease("two", 999, 2_000, signal)).toBe(false);
    });

    test("shows the entry of a record as it is now: changed, or gone", async () => {
      await using place = await makePlace();
      const scene = makeScene();
      const records = [0, 1, 2].map((offset) => scene.record({ offset }));
      {
        await using store = await place.open();
        await store.records.append(scene.batch({ records }), signal);
        const rows = records.map(
          ({ rid, leafHash }, index): LogRow => ({ index, key: rid, leafHash, entry: undefined }),
        );
        expect(await store.log.append(rows, signal)).toBe("done");
      }
      await place.overwriteEntry(scene.rid(0), "{}");
      await place.overwriteEntry(scene.rid(2), undefined);
      await using store = await place.open();
      const leaves = await store.log.leaves(0, 3, signal);
      expect(leaves.map((leaf) => leaf.stored)).toEqual(["{}", records[1]?.entry, undefined]);
      const waiting = await store.log.loggable(scene.src, 0, 3, 9, signal);
      expect(waiting.map(({ offset, entry }) => [offset, entry])).toEqual([[0, "{}"], [1, records[1]?.entry]]); // biome-ignore format: a list
    });

    test("that lost its last row behind the head has the control entry of that row in line again", async () => {
      await using place = await makePlace();
      const entry = "{}";
      {
        await using store = await place.open();
        for (const id of ["a", "b", "c"]) await store.log.queueControl({ id, entry }, signal);
        const row = (index: number, id: string): LogRow => ({
          index,
          key: controlKey(id),
          leafHash: sha256(id),
          entry,
        });
        await store.log.append([row(0, "a"), row(1, "b")], signal);
        await store.log.moveHead(undefined, { size: 1, root: sha256("a") }, signal);
        await store.log.queueControl({ id: "d", entry }, signal);
      }
      await place.removeLogRow(1);
      await using store = await place.open();
      expect(await store.log.size(signal)).toBe(1);
      const waiting = await store.log.pendingControls(9, signal);
      expect(waiting.map(({ id }) => id)).toEqual(["b", "c", "d"]);
    });
  });
}
