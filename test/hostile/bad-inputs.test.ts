/** The inputs of test/vectors/envelope through intake into a store: what is stored is read back to the byte, what is refused is a dead letter, and the next event is stored. */
import { describe, expect, test } from "@jest/globals";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import { allRecords } from "../support/checker.ts";
import { eventOf, optionsOf, vectors } from "../support/envelope-vectors.ts";
import { auditEvent, batchOf, nowMs, openIntake } from "../support/intake.ts";
import { openReadBack } from "../support/read-back.ts";

const given = vectors.filter(({ cases }) => cases.length > 0);

test.each(given)("$row $title: in the store too, and the next good event is stored", async (vector) => {
  await using store = await openReadBack();
  const good = {
    key: null,
    value: Buffer.from(auditEvent({ at: "2024-06-22T11:00:00Z" })),
    headers: [],
    timestampMs: -1,
  };
  for (const one of vector.cases) {
    const { nowMs: _, ...parse } = optionsOf(one, vector.nowMs);
    const stations = { ...store.intake.deps.stations, parse };
    const next = { ...good, headers: [["event_id", Buffer.from(one.name)] as const] };
    const fates = await store.publish([eventOf(one), next], { stations, now: () => vector.nowMs });
    const [fate, nextFate] = fates.map((each) =>
      each.kind === "rejected" ? each.rejection.reason : each.kind,
    );
    const wanted =
      one.expect.outcome === "rejected" ? [one.expect.reason] : ["stored", "duplicate", "conflict"];
    expect({ name: one.name, fate, known: wanted.includes(fate ?? ""), nextFate }).toEqual({
      name: one.name,
      fate,
      known: true,
      nextFate: "stored",
    });
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
});

describe("copies", () => {
  const copy = auditEvent({ eventId: "1" });
  const kinds = async (batches: readonly (readonly string[])[]): Promise<readonly string[]> => {
    await using intake = await openIntake();
    const ends = await Promise.all(
      batches.map((values, partition) =>
        ingestBatch(intake.deps, batchOf(0, values, partition), intake.control),
      ),
    );
    const versions = (await allRecords(intake.store)).map(({ version }) => version).sort((a, b) => a - b);
    expect(versions).toEqual(versions.map((_, i) => i + 1));
    return ends
      .flatMap((end) => (end.kind === "done" ? [...end.fates.values()].map(({ kind }) => kind) : [end.kind]))
      .sort();
  };

  test("five of one event on three partitions at once are one record and four duplicates", async () => {
    expect(await kinds([[copy, copy], [copy, copy], [copy]])).toEqual([
      ...Array(4).fill("duplicate"),
      "stored",
    ]);
  });

  test("one identity with three contents on three partitions at once is one record and two conflicts", async () => {
    const others = ["Anna", "Bob"].map((name) => auditEvent({ eventId: "1", name }));
    expect(await kinds([[copy], ...others.map((other) => [other])])).toEqual([
      "conflict",
      "conflict",
      "stored",
    ]);
  });

  test("one content with two identities is two records", async () => {
    expect(await kinds([[copy, auditEvent({ eventId: "2" })]])).toEqual(["stored", "stored"]);
  });

  test("events of one stream in one batch and on two partitions at once get versions without a hole", async () => {
    const events = Array.from({ length: 6 }, (_, i) => auditEvent({ eventId: `e-${i}` }));
    expect(await kinds([events.slice(0, 3), events.slice(3)])).toEqual(Array(6).fill("stored"));
  });
});

test("an older event that comes after a newer one is the next version, and late", async () => {
  await using store = await openReadBack();
  const texts = ["2026-11-21T11:00:00Z", "2026-11-21T10:00:00Z"].map((at) => auditEvent({ at, eventId: at }));
  await store.publish(
    texts.map((text) => ({ key: null, value: Buffer.from(text), headers: [], timestampMs: nowMs })),
  );
  const rows = (await allRecords(store.intake.store)).toSorted((a, b) => a.version - b.version);
  expect(rows.map(({ version, projection }) => [version, projection.flags.includes("late")])).toEqual([
    [1, false],
    [2, true],
  ]);
});

test("a message's own key, Kafka's time and its headers change nothing of what is stored", async () => {
  await using store = await openReadBack();
  const keys = [null, Buffer.alloc(0), Buffer.from([0, 0xff, 0xc3, 0x28]), Buffer.alloc(1_048_576, "k")];
  const times = [-1, 0, Number.MAX_SAFE_INTEGER];
  const sent = keys.flatMap((key, k) =>
    times.map((timestampMs, t) => ({
      key,
      value: Buffer.from(auditEvent({ eventId: `${k}-${t}` })),
      headers: [
        ["traceparent", Buffer.from("ff-0-0-0")] as const,
        ["x", null] as const,
        ["x", Buffer.from([0xff])] as const,
      ],
      timestampMs,
    })),
  );
  const fates = await store.publish(sent);
  expect(fates.map((fate) => fate.kind === "stored" && fate.recordedAtMs)).toEqual(sent.map(() => nowMs));
});

test("a thousand bad events in a row, and one among good ones at every place of a batch, harm no other", async () => {
  await using store = await openReadBack();
  const bad = { key: null, value: Buffer.from('{"a":1,}'), headers: [], timestampMs: nowMs };
  const fates = await store.publish(Array(1_000).fill(bad));
  expect(new Set(fates.map(({ kind }) => kind))).toEqual(new Set(["rejected"]));
  for (let place = 0; place < 20; place++) {
    const good = Array.from({ length: 20 }, (_, i) => ({
      ...bad,
      value: Buffer.from(auditEvent({ eventId: `${place}-${i}` })),
    }));
    const kinds = (await store.publish(good.toSpliced(place, 0, bad))).map(({ kind }) => kind);
    expect(kinds).toEqual(Array(20).fill("stored").toSpliced(place, 0, "rejected"));
  }
});
