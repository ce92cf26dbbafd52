/** The pure stations on a batch of odd events, sealed and opened again. */
import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { defaultParseOptions } from "../../src/core/envelope.ts";
import type { SourceEvent } from "../../src/core/event.ts";
import type { Kid } from "../../src/core/ids.ts";
import { readEvent, type StationSettings, sealOne } from "../../src/ingest/stations.ts";
import type { SourceBatch } from "../../src/ports/event-source.ts";
import { lookupKey } from "../../src/privacy/lookup-key.ts";
import { openBody } from "../../src/privacy/open-body.ts";
import { auditEvent, batchOf, nowMs } from "../support/intake.ts";

const owner = { kid: Buffer.alloc(16, 1).toString("base64url") as Kid, key: Buffer.alloc(32, 1) };
const actor = { kid: Buffer.alloc(16, 2).toString("base64url") as Kid, key: Buffer.alloc(32, 2) };
const many = 100;

const settings = (noteFault: StationSettings["noteFault"]): StationSettings => ({
  lookup: lookupKey(Buffer.alloc(32, 7)),
  catalogue: emptyCatalogue,
  catalogueDigest: "none",
  parse: defaultParseOptions,
  random: randomBytes,
  noteFault,
});
const throwIt = (cause: unknown): never => {
  throw cause;
};

/** Events of every kind that reaches the stations: with and without key, headers, value and owner; views of a larger block, as a fetch gives them. */
function oddBatch(): SourceBatch {
  const batch = batchOf(
    40,
    Array.from({ length: many }, (_, n) => auditEvent({ eventId: `é${n}`, id: `e-${n % 7}` })),
  );
  const view = (text: string): Buffer => Buffer.from(`before${text}behind`).subarray(6, -6);
  const events = batch.events.map((event, n): SourceEvent => {
    const text = Buffer.from(event.value ?? "").toString();
    const key = n % 3 === 0 ? null : view(`key ${n}`);
    if (n % 10 === 1) return { ...event, key, value: null };
    if (n % 10 === 2) return { ...event, key, value: view('{"a":1,}') };
    if (n % 10 === 3)
      return {
        ...event,
        key,
        value: view(
          text.replaceAll('"user_', '"owner_').replace('"owner_id"', '"owner_type":"user","owner_id"'),
        ),
      };
    if (n % 10 === 4)
      return {
        ...event,
        key,
        value: view(text),
        headers: [
          ["event_id", view(`h${n}`)],
          ["n", null],
          ["n", view("")],
        ],
      };
    return { ...event, key, value: view(text), timestampMs: n % 10 === 5 ? -1 : nowMs };
  });
  return { ...batch, events };
}

test("they read and seal every event of a batch so that it opens to the bytes that came, and refuse what is bad", () => {
  const { src, events } = oddBatch();
  const stations = settings(throwIt);
  const refused: string[] = [];
  const classes = new Set<string>();
  for (const event of events) {
    const read = readEvent(stations, src, event, nowMs);
    if ("rejection" in read) {
      refused.push(read.rejection.reason);
      continue;
    }
    const sealed = sealOne(stations, read, owner, read.cuts.length > 0 ? actor : undefined);
    if ("reason" in sealed) throw new Error(sealed.reason);
    const { content } = openBody(sealed.body, read.rid, (keyClass) =>
      keyClass === "a" ? actor.key : owner.key,
    );
    expect(Buffer.from(content?.value ?? []).equals(event.value ?? Buffer.alloc(0))).toBe(true);
    expect(content?.meta.headers.map(([name]) => name)).toEqual(event.headers.map(([name]) => name));
    for (const { c } of sealed.parts) classes.add(c);
  }
  expect(refused).toHaveLength(many / 5);
  expect([...classes].toSorted()).toEqual(["a", "s"]);
});

test("an event on which one throws three times is rejected INTERNAL, and told of once", () => {
  const faults: unknown[] = [];
  const stations = settings((cause) => void faults.push(cause));
  const broken = { ...stations, parse: { ...defaultParseOptions, limits: null as never } };
  const { src, events } = batchOf(0, [auditEvent()]);
  expect(readEvent(broken, src, events[0] as SourceEvent, nowMs)).toMatchObject({
    stage: "internal",
    rejection: { reason: "INTERNAL" },
  });
  expect(faults).toHaveLength(1);
  expect(faults[0]).toBeInstanceOf(Error);
});
