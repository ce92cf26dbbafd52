/** Twelve kinds of messages that producers really send by mistake. Each is refused for another reason. */
import type { RejectReason } from "../core/outcome.ts";
import { type Act, envelopeOf, headersOf, type JsonObject, jsonBytes, type Sent } from "./message.ts";

export type BrokenKind = {
  readonly reason: RejectReason;
  /** How it came about, for the reader. */
  readonly story: string;
  /** How often in a day. */
  readonly times: number;
  /** From a sound act. What stays readable keeps the demo's tenant, so that none of it counts towards the breaker. */
  spoil(act: Act): Sent;
};

const withMetadata = (act: Act, change: (metadata: JsonObject) => JsonObject): Sent => {
  const envelope = envelopeOf(act);
  return sent(act, jsonBytes({ ...envelope, metadata: change(envelope.metadata) }));
};
const withTimestamp = (act: Act, timestamp: string): Sent =>
  sent(act, jsonBytes({ ...envelopeOf(act), timestamp }));
const withText = (act: Act, change: (text: string) => string): Sent =>
  sent(act, Buffer.from(change(JSON.stringify(envelopeOf(act)))));

function sent(act: Act, value: Buffer | null): Sent {
  return { key: act.key, value, headers: headersOf(act) };
}

const inPayload = (text: string, members: string): string =>
  text.replace('"payload":{', `"payload":{${members},`);

export const brokenKinds: readonly BrokenKind[] = [
  {
    reason: "INVALID_JSON",
    story: "a comma after the last line, as in the published example",
    times: 8,
    spoil: (act) =>
      sent(act, Buffer.from(JSON.stringify(envelopeOf(act), null, 2).replace(/\n {2}\}\n\}$/, ",\n  }\n}"))),
  },
  {
    reason: "NULL_VALUE",
    story: "a tombstone, sent to a topic that is not compacted",
    times: 2,
    spoil: (act) => sent(act, null),
  },
  {
    reason: "INVALID_UTF8",
    story: "a name from an old database, in Latin-1",
    times: 5,
    spoil: (act) =>
      sent(
        act,
        Buffer.from(
          JSON.stringify({ ...envelopeOf(act), payload: { ...act.payload, city: "São Paulo" } }),
          "latin1",
        ),
      ),
  },
  {
    reason: "NOT_OBJECT",
    story: "two events in one array",
    times: 2,
    spoil: (act) => sent(act, jsonBytes([envelopeOf(act), envelopeOf(act)])),
  },
  {
    reason: "DUPLICATE_KEY",
    story: "a field written twice by hand-made JSON",
    times: 2,
    spoil: (act) => withText(act, (text) => inPayload(text, '"plan":"basic","plan":"pro"')),
  },
  {
    reason: "NUMBER_RANGE",
    story: "a sum that overflowed",
    times: 1,
    spoil: (act) => withText(act, (text) => inPayload(text, '"balance":1e999')),
  },
  {
    reason: "SCHEMA",
    story: "no ownership_id: nobody knows whose data it is",
    times: 7,
    spoil: (act) => withMetadata(act, ({ ownership_id: _, ...rest }) => rest),
  },
  {
    reason: "AMBIGUOUS_OWNER",
    story: "user_id and owner_id name two people",
    times: 3,
    spoil: (act) => withMetadata(act, (metadata) => ({ ...metadata, user_id: "701", owner_id: "702" })),
  },
  {
    reason: "TIMESTAMP",
    story: "a date as people write it",
    times: 3,
    spoil: (act) => withTimestamp(act, "22/06/2024 09:00"),
  },
  {
    reason: "TIMESTAMP_ZONE",
    story: "local time without its zone",
    times: 4,
    spoil: (act) => withTimestamp(act, new Date(act.atMs).toISOString().slice(0, -1)),
  },
  {
    reason: "TIMESTAMP_RANGE",
    story: "a machine that came up without a clock",
    times: 2,
    spoil: (act) => withTimestamp(act, "1970-01-01T00:00:07Z"),
  },
  {
    reason: "INVALID_EVENT_ID",
    story: "an event id that was never filled in",
    times: 1,
    spoil: (act) => ({ ...sent(act, jsonBytes(envelopeOf(act))), headers: { event_id: "" } }),
  },
];
