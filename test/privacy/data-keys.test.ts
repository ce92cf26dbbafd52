import { expect, test } from "@jest/globals";
import type { Kid, OwnershipKey } from "../../src/core/ids.ts";
import type { KeyDocument } from "../../src/ports/key-store.ts";
import {
  actorKeyNeed,
  dataKeys,
  keyRefText,
  producerKeyNeed,
  subjectKeyNeed,
} from "../../src/privacy/data-keys.ts";
import { wrapDek } from "../../src/privacy/wrapped-key.ts";
import { damageKey } from "../support/damage-key.ts";
import { countedRandomness, memoryKeyRing, memoryKeyStore } from "../support/memory-keys.ts";

const signal = new AbortController().signal;
const subject = subjectKeyNeed("t", "owner-1" as OwnershipKey, "123");
const producer = producerKeyNeed("t", "accounts");
const actor = actorKeyNeed("t", Date.UTC(2026, 10, 30, 23, 59, 59, 999));

function setUp(epochs: readonly number[] = [1]) {
  const clock = { ms: 1_000_000 };
  const [keys, ring] = [memoryKeyStore(), memoryKeyRing(epochs)];
  const random = countedRandomness();
  const open = () => dataKeys({ keys, ring, random, now: () => clock.ms });
  const documentOf = (id: string): KeyDocument => {
    const document = [...keys.documents.values()].find((stored) => stored.id === id);
    if (document === undefined) throw new Error(`no document ${id}`);
    return document;
  };
  return { clock, keys, ring, open, documentOf };
}

test("ids of key documents are unambiguous, and the actor's is of the month in UTC", () => {
  expect(producer).toMatchObject({ class: "p", id: '["p","t","accounts"]' });
  expect(actor).toMatchObject({ class: "a", id: '["a","t","2026-11"]', clear: { month: "2026-11" } });
  expect(producerKeyNeed('a","b', "c").id).not.toBe(producerKeyNeed("a", 'b","c').id);
  expect(actorKeyNeed("t", Date.UTC(2026, 11, 1)).id).toBe('["a","t","2026-12"]');
});

test("absent keys are created in one batch, durable before they are handed out, and opened by others", async () => {
  const { keys, open } = setUp();
  const found = await open().forSealing([subject, producer, actor, subject], signal);
  expect([...found.keys()].sort()).toEqual([subject, producer, actor].map(keyRefText).sort());
  expect(keys.calls).toEqual({ read: 2, create: 1, byKid: 0 });
  expect(keys.documents.size).toBe(3);
  for (const { key, kid } of found.values()) {
    expect(key).toHaveLength(32);
    expect(Buffer.from(kid, "base64url")).toHaveLength(16);
  }
  const elsewhere = open();
  expect(await elsewhere.forSealing([subject, producer, actor], signal)).toEqual(found);
  const kids = [...found].map(([text, { kid }]) => ({
    class: text.startsWith("s") ? ("s" as const) : text.startsWith("p") ? ("p" as const) : ("a" as const),
    kid,
  }));
  const opened = await elsewhere.forOpening(kids, signal);
  expect([...opened]).toEqual([...found.values()].map(({ kid, key }) => [kid, key]));
});

test("keys that the store acknowledges and does not show seal nothing", async () => {
  const { keys, open } = setUp();
  const { read } = keys;
  keys.read = async () => [];
  await expect(open().forSealing([subject, actor], signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
  });
  expect(keys.calls.create).toBe(1);
  keys.read = read;
  expect((await open().forSealing([subject, actor], signal)).size).toBe(2);
  expect(keys.calls.create).toBe(1);
});

test("two instances that make the same key at once use the one the store kept", async () => {
  const { open } = setUp();
  const [one, other] = await Promise.all([
    open().forSealing([subject], signal),
    open().forSealing([subject], signal),
  ]);
  expect(one).toEqual(other);
});

test("an opened key is used for 5 s from the start of its read, then looked up again in one batch", async () => {
  const { clock, keys, open } = setUp();
  const data = open();
  const read = keys.read;
  keys.read = async (refs, aborted) => {
    const documents = await read.call(keys, refs, aborted);
    clock.ms += 2000;
    return documents;
  };
  await data.forSealing([subject, actor], signal);
  const reads = keys.calls.read;
  clock.ms += 3000;
  await data.forSealing([subject, actor], signal);
  expect(keys.calls.read).toBe(reads);
  clock.ms += 1;
  await data.forSealing([subject, actor], signal);
  expect(keys.calls.read).toBe(reads + 1);
  expect(keys.calls.create).toBe(1);
});

test("a clock that went back makes opened keys too old", async () => {
  const { clock, keys, open } = setUp();
  const data = open();
  await data.forSealing([subject], signal);
  clock.ms -= 1;
  await data.forSealing([subject], signal);
  expect(keys.calls.read).toBe(3);
});

test("the newest revision that is not destroyed seals", async () => {
  const { keys, ring, open, documentOf } = setUp();
  const [first] = (await open().forSealing([subject], signal)).values();
  const document = documentOf(subject.id);
  const [key] = document.keys;
  if (key === undefined) throw new Error("no key");
  const newer = { ...key, kid: "CCCCCCCCCCCCCCCCCCCCCA" as Kid, revision: 2 };
  newer.wrapped = wrapDek(ring.current(), document.id, newer.kid, Buffer.alloc(32, 5), countedRandomness());
  for (const both of [
    [key, newer],
    [newer, key],
  ]) {
    keys.put({ ...document, keys: both });
    const [sealing] = (await open().forSealing([subject], signal)).values();
    expect(sealing).toEqual({ kid: newer.kid, key: Buffer.alloc(32, 5) });
  }
  const destroyed = { ...key, kid: "BBBBBBBBBBBBBBBBBBBBBA" as Kid, revision: 2, wrapped: null };
  keys.put({ ...document, keys: [key, destroyed] });
  expect([...(await open().forSealing([subject], signal)).values()]).toEqual([first]);
  keys.put({ ...document, keys: [destroyed] });
  await expect(open().forSealing([subject], signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("destroyed"),
  });
});

test.each(["fenced", "erased"] as const)(
  "a key whose document is %s seals nothing and opens nothing",
  async (state) => {
    const { keys, open, documentOf } = setUp();
    const [key] = (await open().forSealing([subject], signal)).values();
    if (key === undefined) throw new Error("no key");
    keys.put({ ...documentOf(subject.id), state });
    await expect(open().forSealing([subject], signal)).rejects.toMatchObject({
      code: "KEY_UNAVAILABLE",
      message: expect.stringContaining(state),
    });
    expect([...(await open().forOpening([{ class: "s", kid: key.kid }], signal))]).toEqual([
      [key.kid, "destroyed"],
    ]);
  },
);

test("a blocked document still seals", async () => {
  const { keys, open, documentOf } = setUp();
  const found = await open().forSealing([subject], signal);
  keys.put({ ...documentOf(subject.id), state: "blocked" });
  expect(await open().forSealing([subject], signal)).toEqual(found);
});

test("a destroyed key is told from one that no document holds", async () => {
  const { keys, open, documentOf } = setUp();
  const [key] = (await open().forSealing([subject], signal)).values();
  if (key === undefined) throw new Error("no key");
  const document = documentOf(subject.id);
  keys.put({ ...document, keys: document.keys.map((wrapped) => ({ ...wrapped, wrapped: null })) });
  const unknown = "BBBBBBBBBBBBBBBBBBBBBA" as Kid;
  const opened = await open().forOpening(
    [
      { class: "s", kid: key.kid },
      { class: "s", kid: unknown },
    ],
    signal,
  );
  expect([...opened]).toEqual([[key.kid, "destroyed"]]);
  expect((await open().forOpening([{ class: "p", kid: key.kid }], signal)).size).toBe(0);
});

test("a KEK that the ring lacks is looked for anew, then named as infrastructure trouble", async () => {
  const { ring, open } = setUp([1, 2]);
  const found = await open().forSealing([subject], signal);
  const kek2 = ring.keks.pop();
  ring.currentEpoch = 1;
  await expect(open().forSealing([subject], signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("KEK 2"),
  });
  expect(ring.refreshes).toBe(1);
  ring.refresh = async () => void (kek2 && ring.keks.push(kek2));
  expect(await open().forSealing([subject], signal)).toEqual(found);
});

test("a key that does not open under its KEK is named with the epoch, never replaced", async () => {
  const { keys, ring, open } = setUp();
  await open().forSealing([subject], signal);
  ring.keks[0] = { epoch: 1, key: Buffer.alloc(32, 9) };
  const creates = keys.calls.create;
  await expect(open().forSealing([subject], signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("KEK 1"),
  });
  expect(keys.calls.create).toBe(creates);
});

test.each(["a flipped bit", "the epoch of another KEK"] as const)(
  "%s closes one key: the others open, it is not told as destroyed, and it opens as soon as it is restored",
  async (how) => {
    const { keys, open, documentOf } = setUp([1, 2]);
    const data = open();
    const found = await data.forSealing([subject, actor], signal);
    const [one, other] = [subject, actor].map((need) => found.get(keyRefText(need)));
    if (one === undefined || other === undefined) throw new Error("no keys");
    const whole = documentOf(subject.id);
    const kids = [
      { class: "s", kid: one.kid },
      { class: "a", kid: other.kid },
    ] as const;
    if (how === "a flipped bit") await damageKey(keys, kids[0]);
    else keys.put({ ...whole, keys: whole.keys.map((key) => ({ ...key, kek: 1 })) });
    expect([...(await data.forOpening(kids, signal))]).toEqual([[other.kid, other.key]]);
    keys.put(whole);
    const opened = await data.forOpening(kids, signal);
    expect([opened.get(one.kid), opened.get(other.kid)]).toEqual([one.key, other.key]);
  },
);

test("a KEK that the ring lacks opens nothing until it is back: what it wraps is not told as broken", async () => {
  const { ring, open } = setUp([1, 2]);
  const [key] = (await open().forSealing([subject], signal)).values();
  if (key === undefined) throw new Error("no key");
  const kids = [{ class: "s", kid: key.kid }] as const;
  const data = open();
  const kek2 = ring.keks.pop();
  await expect(data.forOpening(kids, signal)).rejects.toMatchObject({
    code: "KEY_UNAVAILABLE",
    message: expect.stringContaining("KEK 2"),
  });
  if (kek2 !== undefined) ring.keks.push(kek2);
  expect([...(await data.forOpening(kids, signal))]).toEqual([[key.kid, key.key]]);
});
