/** Events published over gRPC on the running service take the way of all events. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { IngestService, PublishWait } from "../../src/gen/lastro/v1/ingest_pb.ts";
import { OutcomeKind } from "../../src/gen/lastro/v1/operations_pb.ts";
import { LogState } from "../../src/gen/lastro/v1/record_pb.ts";
import { failureOf } from "../support/grpc-client.ts";
import { eventText } from "../support/history-world.ts";
import { json } from "../support/rest-client.ts";
import { jsonOf, type Service, startService, startTimeoutMs, textOf } from "./service.ts";

let service: Service;
beforeAll(async () => {
  service = await startService("sqlite");
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

const event = (text: string, headers: Record<string, string> = {}) => ({ value: Buffer.from(text), headers });
const recordOf = async (rid: string) =>
  (await service.ask(HistoryService, "getRecord", { by: { case: "rid", value: rid } })).record;

test("R-20 an event published over gRPC is stored as it came, and is a record where its answer says", async () => {
  const text = eventText({ payload: { public_id: "g-1", n: 1 }, metadata: { event_id: "g-1" } });
  const { event: published } = await service.ask(IngestService, "publishEvent", {
    event: event(text),
    waitFor: PublishWait.STORED,
  });
  expect(published).toMatchObject({
    outcome: OutcomeKind.STORED,
    eventId: { form: { case: "metadata", value: "g-1" } },
  });
  expect(textOf((await recordOf(published?.rid ?? ""))?.event)).toBe(text);
});

test("R-20 a batch keeps the order of each entity, and the same event id again is a duplicate of the record", async () => {
  const text = (n: number) =>
    eventText({ payload: { public_id: "g-2", n }, metadata: { event_id: `g-2-${n}` } });
  const { events } = await service.ask(IngestService, "publishEvents", {
    events: [1, 2, 3].map((n) => event(text(n))),
    waitFor: PublishWait.STORED,
  });
  const records = await Promise.all(events.map(({ rid }) => recordOf(rid)));
  expect(records.map((record) => [record?.version, jsonOf(record?.payload)])).toEqual(
    [1, 2, 3].map((n) => [BigInt(n), { public_id: "g-2", n }]),
  );
  const { event: again } = await service.ask(IngestService, "publishEvent", {
    event: event(text(2)),
    waitFor: PublishWait.STORED,
  });
  expect(again).toMatchObject({ outcome: OutcomeKind.DUPLICATE, originalRid: events[1]?.rid });
});

test("R-20 an answer that waits for the log comes when a checkpoint covers the record", async () => {
  const { event: published } = await service.ask(IngestService, "publishEvent", {
    event: event(eventText({ payload: { public_id: "g-3" } }), { event_id: "header-3" }),
    waitFor: PublishWait.LOGGED,
  });
  const record = await recordOf(published?.rid ?? "");
  expect(record?.log?.state).toBe(LogState.LOGGED);
  expect(record?.eventId?.form).toEqual({ case: "header", value: "header-3" });
});

test("R-20 a CloudEvent that came percent-encoded over REST is a duplicate when it comes over gRPC", async () => {
  const text = eventText({ payload: { public_id: "g-4" } });
  const posted = await json(`${service.lastro().restUrl}/audit-logs?wait=stored`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-type": "account.updated",
      "ce-source": "team_service",
      "ce-id": "pedido%2017/%C3%A7",
    },
    body: text,
  });
  expect(posted).toMatchObject({ outcome: "stored", event_id: { parts: ["team_service", "pedido 17/ç"] } });
  const { event: again } = await service.ask(IngestService, "publishEvent", {
    event: event(text, {
      ce_specversion: "1.0",
      ce_type: "account.updated",
      ce_source: "team_service",
      ce_id: "pedido 17/ç",
    }),
    waitFor: PublishWait.STORED,
  });
  expect(again).toMatchObject({ outcome: OutcomeKind.DUPLICATE, originalRid: posted.id });
});

test("R-20 what intake would reject is refused with its reason, and leaves no dead letter", async () => {
  const refused = await failureOf(
    service.ask(IngestService, "publishEvent", { event: event('{"producer_service":"x",}') }),
  );
  expect(refused).toMatchObject({ reason: "EVENT_REJECTED", fields: ["event"] });
  expect(refused.message).toMatch(/^INVALID_JSON: /);
  expect((await service.intake()).every(({ counts }) => counts?.rejected === 0n)).toBe(true);
});
