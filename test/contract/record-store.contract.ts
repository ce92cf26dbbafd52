/** Contract suite of the record store: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ActionType } from "../../src/core/event.ts";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import type { RecordRow } from "../../src/core/record.ts";
import type { AppendBatch } from "../../src/ports/record-store.ts";
import { headKeyText, ownershipNamesMax } from "../../src/ports/record-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { bytesOf, makeScene, type Scene, secondMs, startMs } from "../support/records.ts";

const signal = new AbortController().signal;
/** Larger than any document a store takes (MongoDB: 16 MiB). */
const refusedBytes = 17 * 1024 * 1024;

/** Bytes compare as bytes, whatever class the adapter's driver makes of them. */
const plain = (row: RecordRow | undefined) =>
  row && { ...row, leafHash: [...row.leafHash], body: [...row.body] };

export function recordStoreContract(name: string, open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });
  const storedRids = async (scene: Scene, offsets: readonly number[]) => {
    const known = await store.records.find(offsets.map(scene.rid), [], signal);
    return known.map((k) => k.rid).sort();
  };
  const append = (batch: AppendBatch) => store.records.append(batch, signal);

  describe(`${name}: append`, () => {
    test("R-08 a record is read back as it was appended", async () => {
      const scene = makeScene();
      const full = scene.record({
        offset: 7,
        version: 1,
        action: "new",
        ownership: scene.ownership("ana"),
        projection: {
          ownershipId: "ana",
          resourceType: "invoice",
          severity: "CRITICAL",
          flags: ["late", "aliased"],
          indexed: { "/payload/a.b": "x", $where: "1", "": "empty", "/payload/ünï": "ção" },
          actor: { id: "", role: "", type: "service" },
        },
      });
      const bare = scene.record({ offset: 8, kind: "activity", entity: "e2", version: 1, kids: [] });
      expect(await append(scene.batch({ records: [full, bare] }))).toEqual({ kind: "done" });
      expect(plain(await store.history.byRid(full.rid, signal))).toEqual(plain(full));
      expect(plain(await store.history.byRid(bare.rid, signal))).toEqual(plain(bare));
    });

    test("offsets and partitions at the end of their range are kept exactly", async () => {
      const scene = makeScene(0x41, 0x7fff_ffff);
      const row = scene.record({ offset: Number.MAX_SAFE_INTEGER, version: 1 });
      await append(scene.batch({ records: [row] }));
      expect(plain(await store.history.byRid(row.rid, signal))).toEqual(plain(row));
    });

    const clashes: readonly [string, (scene: Scene, taken: RecordRow) => RecordRow][] = [
      ["rid", (scene) => scene.record({ offset: 0, entity: "other", version: 1, uid: scene.uid("new") })],
      ["uid", (scene, taken) => scene.record({ offset: 9, entity: "other", version: 1, uid: taken.uid })],
      ["(stream, kind, version)", (scene) => scene.record({ offset: 9, entity: "e1", version: 1 })],
    ];
    for (const [index, clashing] of clashes) {
      test(`R-05 a clash of ${index} at item i leaves exactly i rows and none of the follow-ups`, async () => {
        const scene = makeScene();
        const taken = scene.record({ offset: 0, version: 1 });
        await append(scene.batch({ records: [taken], account: scene.step(0, 1) }));
        const records = [
          scene.record({ offset: 1, version: 2 }),
          scene.record({ offset: 2, version: 3 }),
          clashing(scene, taken),
          scene.record({ offset: 10, version: 4 }),
        ];
        const verdict = await append(
          scene.batch({
            records,
            deactivate: [{ stream: taken.stream, version: 1 }],
            ownerships: [scene.facts("ana")],
            account: scene.step(1, 4),
          }),
        );
        expect(verdict).toEqual({ kind: "clash", at: 2 });
        expect(await storedRids(scene, [0, 1, 2, 9, 10])).toEqual([0, 1, 2].map(scene.rid).sort());
        expect((await store.history.byRid(taken.rid, signal))?.isActive).toBe(true);
        expect(await store.history.ownership(scene.ownership("ana"), signal)).toBeUndefined();
        expect(await store.records.mark(scene.src, signal)).toBe(1);
      });
    }

    test("the same version may exist once as change and once as activity", async () => {
      const scene = makeScene();
      const records = [
        scene.record({ offset: 0, version: 1 }),
        scene.record({ offset: 1, kind: "activity", version: 1 }),
      ];
      expect(await append(scene.batch({ records }))).toEqual({ kind: "done" });
    });

    test("R-05 the same batch twice is harmless: the second clashes at its first record", async () => {
      const scene = makeScene();
      const batch = scene.batch({
        records: [scene.record({ offset: 0, version: 1 }), scene.record({ offset: 1, version: 2 })],
      });
      expect(await append(batch)).toEqual({ kind: "done" });
      const before = await store.history.byRid(scene.rid(1), signal);
      expect(await append(batch)).toEqual({ kind: "clash", at: 0 });
      expect(plain(await store.history.byRid(scene.rid(1), signal))).toEqual(plain(before));
    });

    test("a record the store refuses leaves the items before it and names itself", async () => {
      const scene = makeScene();
      const records = [
        scene.record({ offset: 0, version: 1 }),
        scene.record({ offset: 1, version: 2, body: new Uint8Array(refusedBytes) }),
        scene.record({ offset: 2, version: 3 }),
      ];
      const verdict = await append(scene.batch({ records, account: scene.step(0, 3) }));
      expect(verdict).toMatchObject({ kind: "refused", at: 1, why: expect.any(String) });
      expect(await storedRids(scene, [0, 1, 2])).toEqual([scene.rid(0)]);
      expect(await store.records.mark(scene.src, signal)).toBeUndefined();
    });

    test("R-07 a deactivation touches the named version of the change stream and nothing else", async () => {
      const scene = makeScene();
      await append(
        scene.batch({
          records: [
            scene.record({ offset: 0, version: 1 }),
            scene.record({ offset: 1, version: 2 }),
            scene.record({ offset: 2, version: 2, entity: "e2" }),
            scene.record({ offset: 3, version: 2, kind: "activity", isActive: true }),
          ],
        }),
      );
      const deactivate = [{ stream: scene.stream("e1"), version: 2 }];
      for (const _ of ["first", "repeated"]) {
        expect(await append(scene.batch({ deactivate }))).toEqual({ kind: "done" });
        const active = [0, 1, 2, 3].map((offset) => store.history.byRid(scene.rid(offset), signal));
        expect((await Promise.all(active)).map((row) => row?.isActive)).toEqual([true, false, true, true]);
      }
    });
    test("R-06 a repair leaves the head alone active, and only if its action activates", async () => {
      const scene = makeScene();
      const row = (offset: number, entity: string, action: ActionType, isActive: boolean) =>
        scene.record({ offset, entity, version: (offset % 10) + 1, action, isActive });
      await append(
        scene.batch({
          records: [
            row(0, "two", "new", true), row(1, "two", "update", true),
            row(10, "none", "new", true), row(11, "none", "delete", false),
            row(20, "lost", "new", false), row(21, "lost", "enable", false),
            row(30, "wrong", "disable", true),
            row(40, "unnamed", "new", true), row(41, "unnamed", "update", true),
            scene.record({ offset: 50, entity: "two", version: 9, kind: "activity", isActive: false }),
          ],
        }),
      ); // biome-ignore format: a table
      const streams = ["two", "none", "lost", "wrong", "absent"].map(scene.stream);
      for (const _ of ["first", "repeated"]) {
        await store.records.repairActive(streams, signal);
        const offsets = [0, 1, 10, 11, 20, 21, 30, 40, 41, 50];
        const rows = await Promise.all(offsets.map((o) => store.history.byRid(scene.rid(o), signal)));
        expect(offsets.filter((_, i) => rows[i]?.isActive)).toEqual([1, 21, 40, 41]);
      }
    });
  });

  describe(`${name}: ownership facts`, () => {
    test("R-09 facts are set on insert, then lowered, raised and united; repeating them changes nothing", async () => {
      const scene = makeScene();
      const first = scene.facts("ana", { retainUntilMs: startMs + 5 });
      const second = scene.facts("ana", {
        firstEventAtMs: startMs - secondMs,
        lastEventAtMs: startMs + secondMs,
        producers: ["crm", "billing"],
        legalBases: [],
        purposes: ["marketing"],
        retainUntilMs: undefined,
      });
      const third = scene.facts("ana", { retainUntilMs: startMs + 3 });
      await append(scene.batch({ ownerships: [first] }));
      for (const _ of ["first", "repeated"])
        await append(scene.batch({ ownerships: [second, first, third] }));
      const document = await store.history.ownership(scene.ownership("ana"), signal);
      expect(document && { ...document, producers: [...document.producers].sort(), purposes: [...document.purposes].sort() }).toEqual({
        ownership: scene.ownership("ana"), tenant: scene.tenant, ownershipId: "ana", state: "live",
        firstEventAtMs: startMs - secondMs, lastEventAtMs: startMs + secondMs,
        producers: ["billing", "crm"], legalBases: ["contract"], purposes: ["marketing", "support"],
        retainUntilMs: startMs + 5,
      }); // biome-ignore format: the document at a glance
    });

    test("R-09 a list of names keeps the first of them and says that there were more; the other facts go on", async () => {
      const scene = makeScene();
      const names = Array.from({ length: ownershipNamesMax }, (_, i) => `p${i}`);
      const known = () => store.history.ownership(scene.ownership("ana"), signal);
      await append(scene.batch({ ownerships: [scene.facts("ana", { producers: names })] }));
      await append(scene.batch({ ownerships: [scene.facts("ana", { producers: ["p7"] })] }));
      expect(await known()).toMatchObject({ producers: names });
      expect((await known())?.namesTruncated ?? false).toBe(false);
      for (const [i, more] of [["x", "y"], ["z"], names.map((name) => `${name}z`)].entries()) {
        const lastEventAtMs = startMs + i + 1;
        const facts = scene.facts("ana", { producers: more, purposes: [`u${i}`], lastEventAtMs });
        await append(scene.batch({ ownerships: [facts] }));
        expect(await known()).toMatchObject({ producers: names, namesTruncated: true, lastEventAtMs });
      }
      expect([...((await known())?.purposes ?? [])].sort()).toEqual(["support", "u0", "u1", "u2"]);
    });

    test("R-09 more names at once than a list keeps are cut like those that come one by one", async () => {
      const scene = makeScene();
      const purposes = Array.from({ length: ownershipNamesMax + 5 }, (_, i) => `u${i}`);
      await append(scene.batch({ ownerships: [scene.facts("bob", { purposes })] }));
      expect(await store.history.ownership(scene.ownership("bob"), signal)).toMatchObject({
        purposes: purposes.slice(0, ownershipNamesMax),
        namesTruncated: true,
      });
    });

    test("facts find the document that its keys made first", async () => {
      const scene = makeScene();
      const id = scene.ownership("ana");
      const key = { kid: scene.kid("s"), revision: 1, kek: 1, wrapped: bytesOf("w", 60) };
      const clear = { tenant: scene.tenant, ownershipId: "ana" };
      await store.keys.create([{ class: "s", id, state: "blocked", keys: [key], clear }], signal);
      await append(scene.batch({ ownerships: [scene.facts("ana")] }));
      expect(await store.history.ownership(id, signal)).toMatchObject({
        state: "blocked",
        firstEventAtMs: startMs,
        lastEventAtMs: startMs,
        producers: ["billing"],
      });
      const [document] = await store.keys.read([{ class: "s", id }], signal);
      expect(document?.keys.map((k) => k.kid)).toEqual([key.kid]);
    });

    for (const state of ["fenced", "erased"] as const) {
      test(`R-09 nothing is written to a document that is ${state}`, async () => {
        const scene = makeScene();
        const id = scene.ownership("ana");
        const clear = { tenant: scene.tenant, ownershipId: undefined };
        await store.keys.create([{ class: "s", id, state, keys: [], clear }], signal);
        const before = await store.history.ownership(id, signal);
        expect(await append(scene.batch({ ownerships: [scene.facts("ana")] }))).toEqual({ kind: "done" });
        expect(await store.history.ownership(id, signal)).toEqual(before);
        expect(before).toMatchObject({ state, ownershipId: undefined, firstEventAtMs: undefined });
      });
    }
  });

  describe(`${name}: look-ups`, () => {
    test("find tells records by rid or by uid, each once", async () => {
      const scene = makeScene();
      const rows = [0, 1, 2, 3].map((offset) => scene.record({ offset }));
      await append(scene.batch({ records: rows }));
      const known = await store.records.find(
        [scene.rid(0), scene.rid(1), scene.rid(99)],
        [scene.uid("1"), scene.uid("2"), scene.uid("99")],
        signal,
      );
      const expected = rows.slice(0, 3).map(({ rid, uid, fingerprint, stream, kind, version }) => ({
        rid,
        uid,
        fingerprint,
        stream,
        kind,
        version,
      }));
      expect([...known].sort((a, b) => a.version - b.version)).toEqual(expected);
      expect(await store.records.find([], [], signal)).toEqual([]);
    });

    test("heads are the highest versions; a stream without a record is absent", async () => {
      const scene = makeScene();
      const rows = [
        scene.record({ offset: 0, version: 1 }),
        scene.record({ offset: 1, version: 10, action: "delete", recordedAtMs: startMs + 1 }),
        scene.record({ offset: 2, version: 9 }),
        scene.record({ offset: 3, version: 1, kind: "activity" }),
      ];
      await append(scene.batch({ records: rows }));
      const stream = scene.stream("e1");
      const heads = await store.records.heads(
        [
          { stream, kind: "change" },
          { stream, kind: "activity" },
          { stream: scene.stream("none"), kind: "change" },
        ],
        signal,
      );
      const headOf = (row: RecordRow | undefined) =>
        row && {
          version: row.version,
          alias: row.alias,
          recordedAtMs: row.recordedAtMs,
          actionAtMs: row.projection.actionAtMs,
          isActive: row.isActive,
        };
      expect(Object.fromEntries(heads)).toEqual({
        [headKeyText({ stream, kind: "change" })]: headOf(rows[1]),
        [headKeyText({ stream, kind: "activity" })]: headOf(rows[3]),
      });
    });

    test("a probe succeeds while the store takes writes", async () => {
      await store.records.probe(signal);
      await store.records.probe(signal);
    });
  });

  accountContract(name, () => store);
}

function accountContract(name: string, store: () => Store): void {
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
