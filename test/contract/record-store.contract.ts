/** Contract suite of the record store: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ActionType } from "../../src/core/event.ts";
import type { RecordRow } from "../../src/core/record.ts";
import type { AppendBatch } from "../../src/ports/record-store.ts";
import { headKeyText, ownershipNamesMax } from "../../src/ports/record-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { bytesOf, makeScene, type Scene, secondMs, startMs } from "../support/records.ts";
import { accountContract } from "./record-store-accounts.contract.ts";

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
          status: "FAILURE",
          flags: ["late", "aliased"],
          indexed: { "/payload/a.b": "x", $where: "1", "": "empty", "/payload/ünï": "ção" },
          actor: { id: "", ip: "2001:db8::1", role: "", type: "service" },
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

    test("R-05 of appends asked for at once each gets its own verdict, and what one of them loses the others keep", async () => {
      const scenes = [makeScene(), makeScene()];
      const [taken, given, lost] = [makeScene(), makeScene(), makeScene()];
      const one = (scene: Scene) =>
        scene.batch({ records: [scene.record({ offset: 0, version: 1 })], account: scene.step(0, 1) });
      await append(one(taken));
      await append(one(lost));
      const verdicts = await Promise.allSettled([
        append(one(scenes[0] as Scene)),
        append(
          taken.batch({ records: [taken.record({ offset: 0, version: 1 })], account: taken.step(1, 2) }),
        ),
        store.records.append(one(given), AbortSignal.abort()),
        append(lost.batch({ account: lost.step(5, 6) })),
        append(one(scenes[1] as Scene)),
      ]);
      const kinds = verdicts.map((verdict) =>
        verdict.status === "fulfilled" ? verdict.value.kind : "rejected",
      );
      expect(kinds).toEqual(["done", "clash", "rejected", "mark_lost", "done"]);
      const stored = await Promise.all([...scenes, given].map((scene) => storedRids(scene, [0])));
      expect(stored.map((rids) => rids.length)).toEqual([1, 1, 0]);
      const marks = await Promise.all(
        [...scenes, given, lost].map(({ src }) => store.records.mark(src, signal)),
      );
      expect(marks).toEqual([1, 1, undefined, 1]);
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
    test("R-07 a deactivation is not taken for done because the batch holds an inactive activity of that version", async () => {
      const scene = makeScene();
      await append(scene.batch({ records: [scene.record({ offset: 0, version: 1 })] }));
      await append(
        scene.batch({
          records: [
            scene.record({ offset: 1, version: 1, kind: "activity", isActive: false }),
            scene.record({ offset: 2, version: 2 }),
          ],
          deactivate: [{ stream: scene.stream("e1"), version: 1 }],
        }),
      );
      const active = [0, 1, 2].map((offset) => store.history.byRid(scene.rid(offset), signal));
      expect((await Promise.all(active)).map((row) => row?.isActive)).toEqual([false, false, true]);
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
      const places = [
        ["two", 2],
        ["none", 2],
        ["lost", 1],
        ["wrong", 1],
        ["absent", 1],
      ] as const;
      for (const _ of ["first", "repeated"]) {
        await store.records.repairActive(
          places.map(([entity, version]) => ({ stream: scene.stream(entity), version })),
          signal,
        );
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
