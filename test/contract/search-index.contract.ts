/** Contract suite of the search index: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compare, type Filter } from "../../src/core/filter.ts";
import type { Rid } from "../../src/core/ids.ts";
import { blocksBytesMax } from "../../src/ports/search-index.ts";
import type { Store } from "../../src/ports/store.ts";
import { allOf, equal } from "../support/filters.ts";
import { makeScene, type Scene, startMs } from "../support/records.ts";

const signal = new AbortController().signal;
/** FerretDB takes seconds for megabytes. */
const slowMs = 120_000;
const bytes = (...of: readonly number[]): Uint8Array => Uint8Array.from(of);

export function searchIndexContract(name: string, open: () => Promise<Store>): void {
  describe(`${name}: the search index`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store[Symbol.asyncDispose]();
    });

    const save = async (scene: Scene, count: number): Promise<readonly Rid[]> => {
      const records = Array.from({ length: count }, (_, offset) =>
        scene.record({ offset, recordedAtMs: startMs + offset }),
      );
      expect(await store.records.append(scene.batch({ records }), signal)).toEqual({ kind: "done" });
      return records.map(({ rid }) => rid);
    };
    const textsOf = (rids: readonly Rid[], terms: readonly string[]) =>
      rids.map((rid, at) => ({ rid, recordedAtMs: startMs + at, terms }));
    const found = async ({ tenant }: Scene, ...of: readonly Filter[]): Promise<readonly Rid[]> => {
      const order = { field: "recorded_at", direction: "asc" } as const;
      const filter = allOf(equal("tenant", tenant), ...of);
      const answer = await store.history.search(
        { filter, order, after: undefined, limit: 500, scanMax: 1_000 },
        signal,
      );
      return answer.rows.map(({ rid }) => rid);
    };
    const begin = async (rules: string): Promise<void> => {
      while (!(await store.index.reset(rules, signal)));
    };
    const word = (term: string): Filter => compare("text", "has", term);

    test("before anything is indexed there is no state; a reset begins one, of nothing", async () => {
      expect(await store.index.state(signal)).toBeUndefined();
      expect(await store.index.reset("first", signal)).toBe(true);
      expect(await store.index.state(signal)).toEqual({ rules: "first", size: 0 });
    });

    test("terms that are added again change nothing, and of a record that has terms no others are added", async () => {
      const scene = makeScene();
      const rids = await save(scene, 150);
      await store.index.addTexts(textsOf(rids.slice(0, 100), ["ana", "silva"]), signal);
      await store.index.addTexts(textsOf(rids, ["bia"]), signal);
      expect(await found(scene, word("ana"))).toEqual(rids.slice(0, 100));
      expect(await found(scene, word("silva"), word("ana"))).toEqual(rids.slice(0, 100));
      expect(await found(scene, word("bia"))).toEqual(rids.slice(100));
    });

    test("the terms of records are read as they were added; what is not indexed, or not stored, is absent", async () => {
      const scene = makeScene();
      const [one, two, three] = await save(scene, 3);
      if (one === undefined || two === undefined || three === undefined) throw new Error("too few");
      await store.index.addTexts([...textsOf([one], ["ana", "silva"]), ...textsOf([two], [])], signal);
      const nowhere = makeScene().record({ offset: 9 }).rid;
      const texts = await store.index.texts([three, two, nowhere, one], signal);
      expect(texts).toEqual(new Map([[one, ["ana", "silva"]], [two, []]])); // biome-ignore format: short
    });

    test("the size moves from where it was seen, once, and only under the same rules", async () => {
      await begin("rules");
      const at = (size: number, rules = "rules") => ({ rules, size });
      expect(await store.index.advance(at(0), 10, [], signal)).toBe(true);
      expect(await store.index.advance(at(0), 12, [], signal)).toBe(false);
      expect(await store.index.advance(at(10, "others"), 12, [], signal)).toBe(false);
      expect(await store.index.state(signal)).toEqual(at(10));
    });

    test("blocks are read in order, one kind at a time; one that is there stays as it is", async () => {
      await begin("rules");
      const block = (level: number, n: number, ...of: readonly number[]) => ({
        level,
        n,
        cells: bytes(...of),
        actors: bytes(9, ...of),
      });
      await store.index.advance({ rules: "rules", size: 0 }, 1, [block(0, 1, 11), block(0, 0, 10), block(1, 0, 7)], signal);
      await store.index.advance({ rules: "rules", size: 1 }, 2, [block(0, 2, 12), block(0, 1, 99)], signal);
      const read = async (level: number, from: number, to: number, which: "cells" | "actors") =>
        (await store.index.blocks(level, from, to, which, signal)).map((one) => [one.n, ...one[which]]);
      expect(await read(0, 0, 3, "cells")).toEqual([[0, 10], [1, 11], [2, 12]]);
      expect(await read(0, 1, 2, "actors")).toEqual([[1, 9, 11]]);
      expect(await read(1, 0, 9, "cells")).toEqual([[0, 7]]);
      expect(await read(0, 0, 9, "actors")).toEqual([[0, 9, 10], [1, 9, 11], [2, 9, 12]]);
    }); // biome-ignore format: short

    test("a block may be longer than a document: each kind is read as it was put, and gone with a reset", async () => {
      await begin("rules");
      const long = (of: number): Uint8Array => Buffer.alloc(10_000_000, `block ${of}`);
      const read = async (which: "cells" | "actors"): Promise<readonly (readonly [number, Buffer])[]> =>
        (await store.index.blocks(1, 0, 9, which, signal)).map((one) => [one.n, Buffer.from(one[which])]);
      const block = { level: 1, n: 3, cells: long(3), actors: long(5) };
      await store.index.advance({ rules: "rules", size: 0 }, 1, [block], signal);
      await store.index.advance({ rules: "rules", size: 1 }, 2, [{ ...block, cells: long(7), actors: bytes(7) }], signal);
      const isRead = async (which: "cells" | "actors", wanted: Uint8Array) => {
        const [[n, found] = [], ...more] = await read(which);
        return n === 3 && found?.equals(wanted) === true && more.length === 0;
      };
      expect([await isRead("cells", block.cells), await isRead("actors", block.actors)]).toEqual([true, true]);
      await begin("others");
      expect([await read("cells"), await read("actors")]).toEqual([[], []]);
    }, slowMs); // biome-ignore format: short

    test(
      "a page of blocks ends with the one that fills it, so that no more lies in memory",
      async () => {
        await begin("rules");
        const cells = new Uint8Array(blocksBytesMax / 2 + 1).fill(7);
        const blocks = [0, 1, 2].map((n) => ({ level: 0, n, cells, actors: bytes(n) }));
        await store.index.advance({ rules: "rules", size: 0 }, 1, blocks, signal);
        const pages = async (which: "cells" | "actors", from: number): Promise<readonly number[]> =>
          (await store.index.blocks(0, from, 9, which, signal)).map(({ n }) => n);
        expect([await pages("cells", 0), await pages("cells", 2)]).toEqual([[0, 1], [2]]);
        expect(await pages("actors", 0)).toEqual([0, 1, 2]);
        await begin("others");
      },
      slowMs,
    );

    test("a record's terms are taken away for good: it is found by none of them, and gets no others", async () => {
      const scene = makeScene();
      const rids = await save(scene, 3);
      const [first = "" as Rid, second = "" as Rid, third = "" as Rid] = rids;
      await store.index.addTexts(textsOf([first, second], ["ana", "silva"]), signal);
      await store.index.purgeTexts([first, third], signal);
      await store.index.purgeTexts([first], signal);
      await store.index.addTexts(textsOf(rids, ["ana"]), signal);
      expect(await found(scene, word("ana"))).toEqual([second]);
      expect(await found(scene, compare("text", "prefix", "sil"))).toEqual([second]);
      expect(await found(scene, { kind: "not", of: word("ana") })).toEqual([first, third]);
    });

    test("a reset takes everything away, in as many calls as it needs", async () => {
      const scene = makeScene();
      const rids = await save(scene, 200);
      await store.index.addTexts(
        textsOf(
          rids,
          Array.from({ length: 60 }, (_, n) => `word${n}`),
        ),
        signal,
      );
      let calls = 1;
      while (!(await store.index.reset("next", signal))) {
        expect((await store.index.state(signal))?.rules).toBe("");
        calls++;
      }
      expect(calls).toBeLessThan(10);
      expect(await found(scene, word("word1"))).toEqual([]);
      expect(await store.index.blocks(0, 0, 100, "cells", signal)).toEqual([]);
      expect(await store.index.state(signal)).toEqual({ rules: "next", size: 0 });
      await store.index.addTexts(textsOf(rids, ["anew"]), signal);
      expect(await found(scene, word("anew"))).toHaveLength(200);
    });

    test("a call that was given up before it began throws STORE_UNAVAILABLE", async () => {
      const ended = AbortSignal.abort();
      const { index } = store;
      for (const call of [
        () => index.state(ended),
        () => index.reset("x", ended),
        () => index.addTexts(textsOf([makeScene().rid(0)], ["a"]), ended),
        () => index.advance({ rules: "x", size: 0 }, 1, [], ended),
        () => index.blocks(0, 0, 1, "cells", ended),
        () => index.purgeTexts([makeScene().rid(0)], ended),
      ])
        await expect(call()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    });
  });
}
