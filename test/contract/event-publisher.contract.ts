/** What every way of publishing events must do, on a real Kafka. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, jest, test } from "@jest/globals";
import type { EventHeader } from "../../src/core/event.ts";
import { parseRid, type Rid } from "../../src/core/ids.ts";
import type { EventPublisher } from "../../src/ports/event-publisher.ts";

type Stored = {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly EventHeader[];
};
export type PublisherBed = {
  readonly publisher: EventPublisher;
  /** What lies at that place, read past the adapter under test. */
  read(rid: Rid): Promise<Stored>;
  /** Deletes the topic and makes it again. */
  recreate(): Promise<void>;
  /** The same topic of a broker that does not answer. */
  readonly unreachable: EventPublisher;
  readonly valueBytesMax: number;
};

/** No client takes what it knows of a topic for new so much later. */
const metadataMsMax = 10 * 60_000;

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

export function eventPublisherContract(open: () => Promise<PublisherBed>): void {
  const signal = AbortSignal.timeout(60_000);
  afterEach(() => void jest.restoreAllMocks());

  test("what was published lies at the place that its rid names, key, value and headers unchanged", async () => {
    const bed = await open();
    const value = randomBytes(1_000);
    const rid = await bed.publisher.publish(
      { key: "k", value, headers: { event_id: "é-1", ce_id: "2" } },
      signal,
    );
    const record = await bed.read(rid);
    expect(Buffer.from(record.key ?? []).toString()).toBe("k");
    expect(Buffer.from(record.value ?? [])).toEqual(value);
    expect(record.headers.map(([name, text]) => [name, Buffer.from(text ?? []).toString()])).toEqual([
      ["event_id", "é-1"],
      ["ce_id", "2"],
    ]);
  });

  test("events with one key keep their order, though nobody waits between them", async () => {
    const bed = await open();
    const texts = Array.from({ length: 100 }, (_, i) => `event ${i}`);
    const rids = await Promise.all(
      texts.map((value) => bed.publisher.publish({ key: "one", value: bytes(value), headers: {} }, signal)),
    );
    const places = rids.map((rid) => parseRid(rid));
    expect(new Set(places.map((place) => place?.partition)).size).toBe(1);
    expect(places.map((place) => place?.offset)).toEqual(texts.map((_, i) => i));
    expect(Buffer.from((await bed.read(rids[57] as Rid)).value ?? []).toString()).toBe("event 57");
  });

  test("a topic that was made again gives its own rids", async () => {
    const bed = await open();
    const before = await bed.publisher.publish({ key: "k", value: bytes("1"), headers: {} }, signal);
    await bed.recreate();
    const after = await bed.publisher.publish({ key: "k", value: bytes("2"), headers: {} }, signal);
    expect(parseRid(after)?.topicId).not.toBe(parseRid(before)?.topicId);
    expect(parseRid(after)?.offset).toBe(0);
    expect(Buffer.from((await bed.read(after)).value ?? []).toString()).toBe("2");
  });

  test("an event larger than its topic takes is refused, and those behind it are taken", async () => {
    const bed = await open();
    const publish = (value: Uint8Array) => bed.publisher.publish({ key: "k", value, headers: {} }, signal);
    const [large, small] = await Promise.allSettled([
      publish(randomBytes(bed.valueBytesMax + 1)),
      publish(bytes("small")),
    ]);
    expect(large).toMatchObject({ status: "rejected", reason: { code: "FAILED_PRECONDITION" } });
    expect(small).toMatchObject({ status: "fulfilled" });
  });

  test("an event that is published while another is refused lies at the place it is told, however old is what is known of the topic", async () => {
    const bed = await open();
    const publish = (key: string, value: Uint8Array) =>
      bed.publisher.publish({ key, value, headers: {} }, signal);
    let aheadMs = 0;
    const realNow = Date.now;
    jest.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);
    for (let round = 0; round < 3; round++) {
      await publish("one", bytes(`first ${round}`));
      const refused = publish("two", randomBytes(bed.valueBytesMax + 1));
      const refusal = expect(refused).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
      await new Promise(setImmediate);
      aheadMs += metadataMsMax;
      const rid = await publish("one", bytes(`second ${round}`));
      await refusal;
      expect(Buffer.from((await bed.read(rid)).value ?? []).toString()).toBe(`second ${round}`);
    }
  });

  test("without an acknowledgement it says SOURCE_UNAVAILABLE, and waits no longer than its signal", async () => {
    const bed = await open();
    const sent = bed.unreachable.publish(
      { key: "k", value: bytes("1"), headers: {} },
      AbortSignal.timeout(500),
    );
    await expect(sent).rejects.toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  });
}
