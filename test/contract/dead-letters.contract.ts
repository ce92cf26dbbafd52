/** What every way of sending dead letters must do, on a real Kafka. */
import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import type { EventHeader, SourceEvent } from "../../src/core/event.ts";
import type { TopicId } from "../../src/core/ids.ts";
import type { DeadLetterPosition } from "../../src/core/outcome.ts";
import type { DeadLetter, DeadLetters } from "../../src/ports/dead-letters.ts";

export type Stored = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly EventHeader[];
};
export type DeadLetterBed = {
  readonly letters: DeadLetters;
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Record of a topic, read past the adapter under test. */
  read(position: DeadLetterPosition): Promise<Stored>;
  /** Records of a topic's partition from the start. */
  readAll(topic: string, partition: number): Promise<Stored[]>;
};

const topicId = "AAAAAAAAAAAAAAAAAAAAAA" as TopicId;
const text = (value: string): Buffer => Buffer.from(value);

export function letter(bed: DeadLetterBed, event: Partial<SourceEvent>, partition = 1): DeadLetter {
  return {
    source: { topic: bed.topic, topicId, partition, offset: 41 },
    event: {
      offset: 41,
      key: text("k"),
      value: text("{"),
      headers: [],
      timestampMs: 1_700_000_000_000,
      ...event,
    },
    stage: "parse",
    reason: "INVALID_JSON",
    pointer: "",
    sentence: "The value is no JSON.",
    salt: randomBytes(32),
  };
}

const told = (record: Stored, name: string): string | undefined => {
  const bytes = record.headers.find(([key]) => key === name)?.[1];
  return bytes ? Buffer.from(bytes).toString() : undefined;
};

export function deadLettersContract(open: () => Promise<DeadLetterBed>): void {
  const signal = AbortSignal.timeout(60_000);

  test("a dead letter has the identical key and value, the original headers, and says what is wrong", async () => {
    const bed = await open();
    const headers: EventHeader[] = [
      ["a", text("1")],
      ["b", null],
      ["a", Buffer.from([0xff, 0])],
      ["audit.dlq.topic", text("forged")],
    ];
    const sent = letter(bed, { key: Buffer.from([0, 0xff]), value: Buffer.from([0xc3, 0x28]), headers });
    const [position] = await bed.letters.send([sent], signal);
    if (!position) throw new Error("no position");
    expect(position.topic).toBe(bed.deadLetterTopic);
    const record = await bed.read(position);
    expect(Buffer.from(record.key ?? [])).toEqual(sent.event.key);
    expect(Buffer.from(record.value ?? [])).toEqual(sent.event.value);
    expect(record.headers.slice(0, 3)).toEqual(headers.slice(0, 3));
    const names = record.headers.map(([name]) => name);
    expect(names.filter((name) => name === "audit.dlq.topic").length).toBe(1);
    const expected = {
      topic: bed.topic, incarnation: topicId, partition: "1", offset: "41", timestamp: "1700000000000", reason: "INVALID_JSON", pointer: "",
      stage: "parse", message: "The value is no JSON.", attempt: "1", salt: Buffer.from(sent.salt).toString("base64url"), version: "1", consumer: "test-group",
    }; // biome-ignore format: a table
    for (const [name, value] of Object.entries(expected))
      expect([name, told(record, `audit.dlq.${name}`)]).toEqual([name, value]);
    expect(told(record, "__connect.errors.topic")).toBe(bed.topic);
    expect(told(record, "__connect.errors.exception.message")).toBe("The value is no JSON.");
    expect(
      names.filter((name) => name.startsWith("__connect.errors.")).map((name) => name.slice(17)),
    ).toEqual([
      "topic",
      "partition",
      "offset",
      "stage",
      "class.name",
      "exception.class.name",
      "exception.message",
    ]);
  });

  test("null keys and values stay null, empty ones stay empty", async () => {
    const bed = await open();
    const positions = await bed.letters.send(
      [
        letter(bed, { key: null, value: null }),
        letter(bed, { key: Buffer.alloc(0), value: Buffer.alloc(0) }),
      ],
      signal,
    );
    const [nothing, empty] = await Promise.all(positions.map(bed.read));
    expect([nothing?.key, nothing?.value]).toEqual([null, null]);
    expect([empty?.key?.length, empty?.value?.length]).toEqual([0, 0]);
  });

  test("positions come in the order of the letters, over partitions and beyond one request", async () => {
    const bed = await open();
    const sent = Array.from({ length: 9 }, (_, i) =>
      letter(bed, { value: Buffer.alloc(300_000, String(i)) }, i % 3),
    );
    const positions = await bed.letters.send(sent, signal);
    const records = await Promise.all(positions.map(bed.read));
    expect(records.map(({ value }) => value?.[0])).toEqual(sent.map(({ event }) => event.value?.[0]));
  });

  test("a value as large as the audit topic takes fits the dead letter topic with all headers", async () => {
    const bed = await open();
    const value = randomBytes(4 * 1024 * 1024 - 1_000);
    const [position] = await bed.letters.send([letter(bed, { value })], signal);
    if (!position) throw new Error("no position");
    expect(Buffer.from((await bed.read(position)).value ?? []).equals(value)).toBe(true);
  });

  test("a letter too large for its topic goes without its value, says so, and is parked; those beside it go whole", async () => {
    const bed = await open();
    const value = randomBytes(5 * 1024 * 1024);
    const large = letter(bed, { value, headers: [["event_id", text("7")]] });
    const beside = letter(bed, { value: text("beside") });
    const positions = await bed.letters.send([beside, large, beside], signal);
    const records = await Promise.all(positions.map(bed.read));
    expect(records.map((one) => one.value && Buffer.from(one.value).toString())).toEqual([
      "beside",
      null,
      "beside",
    ]);
    const [, record] = records;
    if (record === undefined) throw new Error("no record");
    expect(told(record, "audit.dlq.value")).toBe("omitted");
    expect(told(record, "audit.dlq.value.length")).toBe(String(value.length));
    const hmac = createHmac("sha256", large.salt).update(value).digest("base64url");
    expect(told(record, "audit.dlq.value.hmac")).toBe(hmac);
    expect(told(record, "audit.dlq.offset")).toBe("41");
    expect([told(record, "event_id"), Buffer.from(record.key ?? []).toString()]).toEqual(["7", "k"]);
    expect(await bed.letters.replay(positions.slice(1, 2), 1, signal)).toEqual(["parked"]);
  });

  test("a letter whose key or headers alone are too large goes without them, too", async () => {
    const bed = await open();
    const key = randomBytes(5 * 1024 * 1024);
    const [position] = await bed.letters.send([letter(bed, { key, headers: [["h", key]] })], signal);
    if (!position) throw new Error("no position");
    const record = await bed.read(position);
    expect([record.key, record.value, told(record, "h")]).toEqual([null, null, undefined]);
    for (const part of ["value", "key", "headers"])
      expect([part, told(record, `audit.dlq.${part}`)]).toEqual([part, "omitted"]);
    expect(told(record, "audit.dlq.reason")).toBe("INVALID_JSON");
    expect(await bed.letters.replay([position], 1, signal)).toEqual(["parked"]);
  });

  test("a replayed letter is the event as it was, with the attempt; the next failure counts on; above the limit it is parked", async () => {
    const bed = await open();
    const headers: EventHeader[] = [
      ["event_id", text("7")],
      ["a", null],
      ["event_id", text("8")],
    ];
    const positions = await bed.letters.send([letter(bed, { headers, value: text("again") })], signal);
    expect(await bed.letters.replay(positions, 1, signal)).toEqual(["replayed"]);
    const replayed = (await bed.readAll(bed.topic, 1)).at(-1);
    expect(Buffer.from(replayed?.value ?? []).toString()).toBe("again");
    expect(Buffer.from(replayed?.key ?? []).toString()).toBe("k");
    expect(replayed?.headers).toEqual([...headers, ["audit.dlq.attempt", text("1")]]);

    const again = await bed.letters.send(
      [letter(bed, { headers: replayed?.headers ?? [], value: text("again") })],
      signal,
    );
    expect(told(await bed.read(again[0] as DeadLetterPosition), "audit.dlq.attempt")).toBe("2");
    const missing = { topic: bed.deadLetterTopic, partition: 0, offset: 1_000_000 };
    expect(await bed.letters.replay([...again, missing], 1, signal)).toEqual(["parked", "missing"]);
    expect((await bed.readAll(bed.topic, 1)).length).toBe(1);
  });

  test("a position of another topic is no dead letter: missing, and nothing is published", async () => {
    const bed = await open();
    const positions = await bed.letters.send([letter(bed, { value: text("again") })], signal);
    const elsewhere = positions.map((position) => ({ ...position, topic: bed.topic }));
    expect(await bed.letters.replay([...elsewhere, ...positions], 1, signal)).toEqual([
      "missing",
      "replayed",
    ]);
    expect((await bed.readAll(bed.topic, 1)).length).toBe(1);
  });

  test("a replay that can do nothing at all is infrastructure trouble", async () => {
    const bed = await open();
    const positions = await bed.letters.send([letter(bed, {})], signal);
    const gone = AbortSignal.abort(new Error("stopped"));
    await expect(bed.letters.replay(positions, 1, gone)).rejects.toMatchObject({
      code: "DEAD_LETTERS_UNAVAILABLE",
    });
    expect(await bed.readAll(bed.topic, 1)).toEqual([]);
  });

  test("what cannot be sent is infrastructure trouble: DEAD_LETTERS_UNAVAILABLE", async () => {
    const bed = await open();
    const gone = AbortSignal.abort(new Error("stopped"));
    await expect(bed.letters.send([letter(bed, {})], gone)).rejects.toMatchObject({
      code: "DEAD_LETTERS_UNAVAILABLE",
    });
  });
}
