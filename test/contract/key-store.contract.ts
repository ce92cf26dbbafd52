/** Contract suite of the key store: every adapter passes it unchanged. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type KeyClass, type KeyDocument, subjectRef, type WrappedKey } from "../../src/ports/key-store.ts";
import type { Store } from "../../src/ports/store.ts";
import { bytesOf, makeScene, type Scene } from "../support/records.ts";

const signal = new AbortController().signal;

const keyOf = (scene: Scene, label: string, over: Partial<WrappedKey> = {}): WrappedKey => ({
  kid: scene.kid(label),
  revision: 1,
  kek: 1,
  wrapped: bytesOf(`${scene.tenant}/${label}/wrapped`).slice(0, 28),
  ...over,
});

const subject = (scene: Scene, over: Partial<KeyDocument> = {}): KeyDocument => ({
  ...subjectRef(scene.ownership("ana")),
  state: "live",
  keys: [keyOf(scene, "s")],
  clear: { tenant: scene.tenant, ownershipId: "ana" },
  ...over,
});
const producer = (scene: Scene, over: Partial<KeyDocument> = {}): KeyDocument => ({
  class: "p",
  id: `${scene.tenant}/billing`,
  state: "live",
  keys: [keyOf(scene, "p")],
  clear: { tenant: scene.tenant, producerService: "billing" },
  ...over,
});
const actor = (scene: Scene, over: Partial<KeyDocument> = {}): KeyDocument => ({
  class: "a",
  id: `${scene.tenant}/2026-11`,
  state: "live",
  keys: [keyOf(scene, "a")],
  clear: { tenant: scene.tenant, month: "2026-11" },
  ...over,
});

/** Bytes compare as bytes, documents and keys in any order. */
const plain = (documents: readonly KeyDocument[]) =>
  documents
    .map((d) => ({
      ...d,
      keys: d.keys
        .map((k) => ({ ...k, wrapped: k.wrapped && [...k.wrapped] }))
        .sort((a, b) => a.revision - b.revision),
    }))
    .sort((a, b) => (a.class + a.id < b.class + b.id ? -1 : 1));

export function keyStoreContract(name: string, open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });
  const read = async (documents: readonly KeyDocument[]) => plain(await store.keys.read(documents, signal));
  const create = (documents: readonly KeyDocument[]) => store.keys.create(documents, signal);

  describe(`${name}: keys`, () => {
    test("documents of all classes are read back as created; absent ones are left out", async () => {
      const scene = makeScene();
      const keys = [keyOf(scene, "s1"), keyOf(scene, "s2", { revision: 2, kek: 7 })];
      const documents = [subject(scene, { keys }), producer(scene), actor(scene)];
      await create(documents);
      expect(await read([...documents, producer(makeScene())])).toEqual(plain(documents));
      expect(await read([])).toEqual([]);
    });

    test("create leaves what is there, whole, and inserts the rest", async () => {
      const scene = makeScene();
      const [first, other] = [subject(scene), actor(scene)];
      await create([first]);
      await create([subject(scene, { state: "blocked", keys: [keyOf(scene, "second")] }), other]);
      expect(await read([first, other])).toEqual(plain([first, other]));
    });

    test("of two that create the same document, both read one of the two", async () => {
      const scene = makeScene();
      const [left, right] = [producer(scene), producer(scene, { keys: [keyOf(scene, "p2")] })];
      await Promise.all([create([left]), create([right])]);
      const [stored] = await read([left]);
      expect([plain([left])[0], plain([right])[0]]).toContainEqual(stored);
    });

    test("classes p and a with one id are two documents", async () => {
      const scene = makeScene();
      const [p, a] = [producer(scene, { id: scene.tenant }), actor(scene, { id: scene.tenant })];
      await create([p, a]);
      expect(await read([p])).toEqual(plain([p]));
      expect(await read([a])).toEqual(plain([a]));
    });

    test("what a subject key is for is what the ownerships document shows", async () => {
      const scene = makeScene();
      await create([subject(scene)]);
      expect(await store.history.ownership(scene.ownership("ana"), signal)).toEqual({
        ownership: scene.ownership("ana"),
        tenant: scene.tenant,
        ownershipId: "ana",
        state: "live",
        firstEventAtMs: undefined,
        lastEventAtMs: undefined,
        producers: [],
        legalBases: [],
        purposes: [],
        retainUntilMs: undefined,
      });
    });

    test("a destroyed key stays as null", async () => {
      const scene = makeScene();
      const erased = subject(scene, { state: "erased", keys: [keyOf(scene, "s", { wrapped: null })] });
      await create([erased]);
      expect(await read([erased])).toEqual(plain([erased]));
    });

    test("documents are found by the kids they hold, class by class", async () => {
      const scene = makeScene();
      const documents = [
        subject(scene, { keys: [keyOf(scene, "s1"), keyOf(scene, "s2", { revision: 2 })] }),
        producer(scene),
        actor(scene),
      ];
      await create(documents);
      const byKid = async (...kids: [KeyClass, string][]) =>
        plain(
          await store.keys.byKid(
            kids.map(([c, label]) => ({ class: c, kid: scene.kid(label) })),
            signal,
          ),
        );
      expect(await byKid(["s", "s1"], ["s", "s2"], ["a", "a"])).toEqual(
        plain(documents.filter((d) => d.class !== "p")),
      );
      expect(await byKid(["p", "s1"], ["s", "none"])).toEqual([]);
      expect(await byKid()).toEqual([]);
    });
  });

  rewrapContract(name, () => store, open);
}

function rewrapContract(name: string, store: () => Store, open: () => Promise<Store>): void {
  const bytes = (text: string) => bytesOf(text).slice(0, 28);
  describe(`${name}: re-wrapping`, () => {
    test("a re-wrap replaces the wrapped bytes it names and no other key", async () => {
      for (const build of [subject, producer, actor]) {
        const scene = makeScene();
        const [one, two] = [keyOf(scene, "one"), keyOf(scene, "two", { revision: 2 })];
        const document = build(scene, { keys: [one, two] });
        await store().keys.create([document], signal);
        const to = { kek: 2, wrapped: bytes("new") };
        const rewrap = (kid: string, from: Uint8Array | null) =>
          store().keys.rewrap(document, scene.kid(kid), from ?? bytes("none"), to, signal);
        expect(await rewrap("one", bytes("other"))).toBe(false);
        expect(await rewrap("one", two.wrapped)).toBe(false);
        expect(await rewrap("absent", one.wrapped)).toBe(false);
        expect(await rewrap("one", one.wrapped)).toBe(true);
        expect(await rewrap("one", one.wrapped)).toBe(false);
        const after = plain(await store().keys.read([document], signal));
        expect(after).toEqual(plain([{ ...document, keys: [{ ...one, ...to }, two] }]));
      }
    });

    for (const [state, allowed] of [
      ["live", true],
      ["blocked", true],
      ["fenced", false],
      ["erased", false],
    ] as const) {
      // biome-ignore format: a table
      test(`a key of a document that is ${state} is ${allowed ? "re-wrapped" : "left alone"}`, async () => {
        const scene = makeScene();
        const document = subject(scene, { state });
        await store().keys.create([document], signal);
        const from = document.keys[0]?.wrapped ?? bytes("none");
        const to = { kek: 2, wrapped: bytes("new") };
        expect(await store().keys.rewrap(document, scene.kid("s"), from, to, signal)).toBe(allowed);
      });
    }

    test("notUnder finds live and blocked documents that another KEK wraps, up to the limit", async () => {
      await using fresh = await open();
      const [a, b, c, d, e] = [makeScene(), makeScene(), makeScene(), makeScene(), makeScene()];
      const old = [
        subject(a, { keys: [keyOf(a, "1", { kek: 2 }), keyOf(a, "2", { revision: 2 })] }),
        producer(b, { state: "blocked" }),
        actor(b),
      ];
      await fresh.keys.create(
        [
          ...old,
          producer(c, { keys: [keyOf(c, "p", { kek: 2 })] }),
          subject(d, { state: "fenced" }),
          subject(e, { state: "live", keys: [keyOf(e, "s", { wrapped: null })] }),
        ],
        signal,
      );
      expect(plain(await fresh.keys.notUnder(2, 10, signal))).toEqual(plain(old));
      expect(await fresh.keys.notUnder(2, 2, signal)).toHaveLength(2);
    });
  });
}
