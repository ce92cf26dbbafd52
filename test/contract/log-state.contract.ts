/** Contract suite of what moves in the log's store: head, tiles, checkpoints, lease, control entries. Every adapter passes it unchanged. */
import { hash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { controlKey, type LogRow, type PublishedCheckpoint } from "../../src/ports/log-store.ts";
import type { Store } from "../../src/ports/store.ts";

const signal = new AbortController().signal;
const sha256 = (text: string): Uint8Array => hash("sha256", text, "buffer");

export function logStateContract(name: string, open: () => Promise<Store>): void {
  controlContract(name, open);

  describe(`${name}: head, tiles, checkpoints, lease`, () => {
    const head = (size: number, root = String(size)) => ({ size, root: sha256(root) });
    const plain = (found: { size: number; root: Uint8Array } | undefined) =>
      found && { size: found.size, root: Buffer.from(found.root).toString("hex") };

    test("the head begins once and moves from where it is, by size and root", async () => {
      await using store = await open();
      expect(await store.log.head(signal)).toBeUndefined();
      expect(await store.log.moveHead(head(0), head(1), signal)).toBe(false);
      const begun = await Promise.all(
        [1, 1, 2].map((size) => store.log.moveHead(undefined, head(size), signal)),
      );
      expect(begun.filter(Boolean)).toHaveLength(1);
      const at = begun[2] ? head(2) : head(1);
      expect(plain(await store.log.head(signal))).toEqual(plain(at));
      expect(await store.log.moveHead(undefined, head(9), signal)).toBe(false);
      expect(await store.log.moveHead(head(at.size, "x"), head(9), signal)).toBe(false);
      expect(await store.log.moveHead({ ...at, size: 7 }, head(9), signal)).toBe(false);
      expect(await store.log.moveHead(at, head(9), signal)).toBe(true);
      expect(plain(await store.log.head(signal))).toEqual(plain(head(9)));
    });

    test("of many who move the head from one place, one does", async () => {
      await using store = await open();
      await store.log.moveHead(undefined, head(1), signal);
      const moved = await Promise.all(
        [2, 3, 4, 5].map((size) => store.log.moveHead(head(1), head(size), signal)),
      );
      expect(moved.filter(Boolean)).toHaveLength(1);
      expect(plain(await store.log.head(signal))).toEqual(plain(head(2 + moved.indexOf(true))));
    });

    test("a tile is put once and never changed", async () => {
      await using store = await open();
      const [hashes, others] = [Buffer.alloc(8_192, 1), Buffer.alloc(8_192, 2)];
      const tile = { level: 0, n: 7 };
      expect(await store.log.tile(tile, signal)).toBeUndefined();
      const puts = await Promise.all([hashes, others].map((bytes) => store.log.putTile(tile, bytes, signal)));
      expect([...puts].sort()).toEqual(["different", "stored"]);
      const [kept, lost] = puts[0] === "stored" ? [hashes, others] : [others, hashes];
      expect(await store.log.putTile(tile, kept, signal)).toBe("same");
      expect(await store.log.putTile(tile, lost, signal)).toBe("different");
      expect(await store.log.putTile(tile, kept.subarray(1), signal)).toBe("different");
      expect(await store.log.putTile({ level: 1, n: 7 }, lost, signal)).toBe("stored");
      expect(await store.log.putTile({ level: 0, n: 17 }, lost, signal)).toBe("stored");
      expect(Buffer.from((await store.log.tile(tile, signal)) ?? []).equals(kept)).toBe(true);
    });

    const checkpoint = (size: number, root: string, signatures = 1): PublishedCheckpoint => ({
      size,
      root: sha256(root),
      note: `é of ${size} with ${signatures}\n`,
      signatures,
    });

    test("a checkpoint goes forward, or gains signatures; never back, and never to another root", async () => {
      await using store = await open();
      const publish = (one: PublishedCheckpoint) => store.log.publish("latest", one, signal);
      expect(await store.log.checkpoint("latest", signal)).toBeUndefined();
      expect(await publish(checkpoint(5, "a"))).toBe(true);
      expect(await publish(checkpoint(5, "a"))).toBe(false);
      expect(await publish(checkpoint(4, "b", 9))).toBe(false);
      expect(await publish(checkpoint(5, "a", 2))).toBe(true);
      expect(await publish(checkpoint(5, "a", 1))).toBe(false);
      expect(await publish(checkpoint(6, "c"))).toBe(true);
      for (const signatures of [1, 3])
        await expect(publish(checkpoint(6, "d", signatures))).rejects.toMatchObject({ code: "LOG_HALTED" });
      const found = await store.log.checkpoint("latest", signal);
      expect({ ...found, ...plain(found) }).toEqual({ ...checkpoint(6, "c"), ...plain(checkpoint(6, "c")) });
      expect(await store.log.checkpoint("witnessed", signal)).toBeUndefined();
      expect(await store.log.publish("witnessed", checkpoint(5, "a", 3), signal)).toBe(true);
    });

    test("of checkpoints that are published at the same time, the largest stays", async () => {
      await using store = await open();
      const sizes = [3, 1, 4, 2];
      const ends = await Promise.all(
        sizes.map((size) => store.log.publish("latest", checkpoint(size, String(size)), signal)),
      );
      expect(ends[sizes.indexOf(4)]).toBe(true);
      expect((await store.log.checkpoint("latest", signal))?.size).toBe(4);
    });

    test("a lease is one holder's until it runs out", async () => {
      await using store = await open();
      const lease = (holder: string, nowMs: number) => store.log.lease(holder, nowMs, nowMs + 10, signal);
      const first = await Promise.all([lease("one", 1_000), lease("two", 1_000)]);
      expect(first.filter(Boolean)).toHaveLength(1);
      const [holder, other] = first[0] ? ["one", "two"] : ["two", "one"];
      expect(await lease(other, 1_009)).toBe(false);
      expect(await lease(holder, 1_009)).toBe(true);
      expect(await lease(other, 1_018)).toBe(false);
      expect(await lease(other, 1_019)).toBe(true);
      expect(await lease(holder, 1_020)).toBe(false);
    });
  });
}

function controlContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: control entries in line`, () => {
    const control = (id: string) => ({ id, entry: `{"control":"${id}"}` });
    const logged = (index: number, id: string): LogRow => ({
      index,
      key: controlKey(id),
      leafHash: sha256(id),
      entry: control(id).entry,
    });
    const ids = async (store: Store, limit = 9) =>
      (await store.log.pendingControls(limit, signal)).map(({ id }) => id);

    test("wait in the order they came, each once, as it was first put", async () => {
      await using store = await open();
      for (const id of ["b", "a", "c"]) await store.log.queueControl(control(id), signal);
      await store.log.queueControl({ id: "a", entry: "{}" }, signal);
      const waiting = await store.log.pendingControls(9, signal);
      expect(waiting).toEqual([control("b"), control("a"), control("c")]);
      expect(await ids(store, 2)).toEqual(["b", "a"]);
      expect(await ids(store, 0)).toEqual([]);
    });

    test("are not listed once they have an index, nor when they are put in line again", async () => {
      await using store = await open();
      for (const id of ["a", "b", "c", "d"]) await store.log.queueControl(control(id), signal);
      await store.log.append([logged(0, "a"), logged(1, "b"), logged(2, "c")], signal);
      expect(await ids(store, 1)).toEqual(["d"]);
      await store.log.moveHead(undefined, { size: 2, root: sha256("") }, signal);
      for (const id of ["a", "c", "e"]) await store.log.queueControl(control(id), signal);
      expect(await ids(store)).toEqual(["d", "e"]);
    });

    test("put in line by many at the same time all wait", async () => {
      await using store = await open();
      const all = ["a", "b", "c", "d", "e", "f"];
      await Promise.all([...all, ...all].map((id) => store.log.queueControl(control(id), signal)));
      expect((await ids(store, 20)).sort()).toEqual(all);
    });
  });
}
