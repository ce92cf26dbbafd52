/** The part of the record store's contract that is accounting: marks, outcomes, counts. */
import { describe, expect, test } from "@jest/globals";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import type { Store } from "../../src/ports/store.ts";
import { makeScene, type Scene, startMs } from "../support/records.ts";

const signal = new AbortController().signal;

export function accountContract(name: string, store: () => Store): void {
  const account = (step: Parameters<Store["records"]["account"]>[0]) => store().records.account(step, signal);
  const counts = (scene: Scene, from: number, to: number) =>
    store().records.counts(scene.src, from, to, signal);
  const none = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };

  describe(`${name}: accounting`, () => {
    test("a mark is undefined before the first step, then the end of the last one", async () => {
      const scene = makeScene();
      const mark = () => store().records.mark(scene.src, signal);
      expect(await mark()).toBeUndefined();
      expect(await account(scene.step(40, 50))).toBe("done");
      expect(await mark()).toBe(50);
      const batch = scene.batch({ records: [scene.record({ offset: 50 })], account: scene.step(50, 60) });
      expect(await store().records.append(batch, signal)).toEqual({ kind: "done" });
      expect(await mark()).toBe(60);
      expect(await store().records.sources(signal)).toContainEqual({ src: scene.src, begin: 40, mark: 60 });
    });

    test("the mark goes on over closed entries: by age and by length", async () => {
      const scene = makeScene();
      const steps = [
        [0, 10, 0], [10, 20, 59_999], [20, 30, 60_001], [30, 10_031, 60_002], [10_031, 10_040, 60_003],
        [10_040, 30_000, 60_004], [30_000, 30_001, 60_005], [30_001, 30_002, 500_000],
      ] as const; // biome-ignore format: a table
      for (const [from, to, ageMs] of steps) {
        expect(await account(scene.step(from, to, [], startMs + ageMs))).toBe("done");
        expect(await store().records.mark(scene.src, signal)).toBe(to);
      }
      expect((await counts(scene, 0, 99_999)).counts).toEqual({ ...none, stored: 30_002 });
    });

    test("a step that does not begin at the mark loses and leaves no outcome", async () => {
      const scene = makeScene();
      await account(scene.step(0, 10));
      for (const from of [0, 9, 11]) {
        expect(await account(scene.step(from, 20, [scene.gap(15, 16)]))).toBe("mark_lost");
        const batch = scene.batch({ account: scene.step(from, 20, [scene.gap(15, 16)]) });
        expect(await store().records.append(batch, signal)).toEqual({ kind: "mark_lost" });
      }
      expect(await store().records.mark(scene.src, signal)).toBe(10);
      expect(await counts(scene, 0, 20)).toEqual({ from: 0, to: 10, counts: { ...none, stored: 10 } });
    });

    test("of two that race for one mark exactly one wins, on an empty chain and on a grown one", async () => {
      const scene = makeScene();
      for (const from of [0, 5]) {
        const verdicts = await Promise.all([
          account(scene.step(from, from + 5)),
          account(scene.step(from, from + 5)),
        ]);
        expect(verdicts.sort()).toEqual(["done", "mark_lost"]);
        expect(await store().records.mark(scene.src, signal)).toBe(from + 5);
      }
    });

    test("R-05 of two that race with different rows only the winner's are ever seen, over closed entries too", async () => {
      const scene = makeScene();
      const rows: OutcomeRow[] = [];
      for (const [from, ageMs] of [[0, 0], [20, 70_000], [40, 70_001]] as const) {
        const steps = [scene.step(from, from + 10, [scene.rejected(from + 3)], startMs + ageMs), scene.step(from, from + 20, [scene.gap(from + 5, from + 20)], startMs + ageMs)];
        const verdicts = await Promise.all(steps.map(account));
        expect([...verdicts].sort()).toEqual(["done", "mark_lost"]);
        const winner = steps[verdicts.indexOf("done")];
        if (winner !== undefined && winner.to < from + 20) await account(scene.step(winner.to, from + 20));
        rows.push(...(winner?.outcomes ?? []));
        const query = { src: scene.src, from: 0, to: 99, kinds: ["rejected", "gap"], limit: 50 } as const;
        expect(await store().records.outcomes(query, signal)).toEqual(rows);
        const named = rows.reduce((sum, row) => sum + row.to - row.from, 0);
        expect((await counts(scene, 0, 99)).counts.stored).toBe(from + 20 - named);
      }
    }); // biome-ignore format: tables

    test("counts are clipped to the range asked for and to what is accounted; stored is what no row names", async () => {
      const scene = makeScene();
      const { duplicate, conflict, rejected, gap } = scene;
      await account(scene.step(10, 20, [duplicate(11), gap(12, 15), rejected(16)]));
      await account(scene.step(20, 30, [gap(20, 24), conflict(29)]));
      expect(await counts(scene, 0, 99)).toEqual({
        from: 10,
        to: 30,
        counts: { stored: 10, duplicate: 1, conflict: 1, rejected: 1, gap: 7 },
      });
      expect(await counts(scene, 13, 22)).toEqual({
        from: 13,
        to: 22,
        counts: { ...none, stored: 4, rejected: 1, gap: 4 },
      });
      const beyond = await counts(scene, 40, 50);
      expect([beyond.to - beyond.from, beyond.counts]).toEqual([0, none]);
      const unknown = await counts(makeScene(), 0, 50);
      expect([unknown.to - unknown.from, unknown.counts]).toEqual([0, none]);
    });

    test("outcome rows are read back whole, by ascending offset, of the kinds asked for, up to the limit", async () => {
      const scene = makeScene();
      const rows = [
        scene.duplicate(1),
        scene.gap(2, 5),
        scene.conflict(5),
        scene.rejected(6),
        scene.duplicate(7),
      ];
      await account(scene.step(0, 10, rows));
      const query = (from: number, to: number, limit = 50) => ({
        src: scene.src,
        from,
        to,
        kinds: ["duplicate", "conflict", "rejected", "gap"] as const,
        limit,
      });
      const outcomes = store().records.outcomes;
      expect(await outcomes(query(0, 10), signal)).toEqual(rows);
      expect(await outcomes(query(3, 7), signal)).toEqual(rows.slice(1, 4));
      expect(await outcomes(query(5, 10, 2), signal)).toEqual(rows.slice(2, 4));
      expect(await outcomes({ ...query(0, 10), kinds: ["duplicate"] }, signal)).toEqual([rows[0], rows[4]]);
      expect(await outcomes({ ...query(0, 10), kinds: [] }, signal)).toEqual([]);
    });
  });
}
