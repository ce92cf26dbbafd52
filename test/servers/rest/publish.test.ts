/** Events come in over REST. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventText } from "../../support/history-world.ts";
import { ask, json, refusal, restLimits, type TestRest } from "../../support/rest-client.ts";
import { openRestWorld, type RestWorld } from "../../support/rest-world.ts";

let served: RestWorld;
let rest: TestRest;
beforeAll(async () => {
  served = await openRestWorld();
  ({ rest } = served);
}, 60_000);
afterAll(async () => served?.[Symbol.asyncDispose]());

test("R-62 an event is published, answered with its place, and found; its repetition under the same key has another place", async () => {
  const headers = { "content-type": "application/json", "idempotency-key": "key-1" };
  const text = eventText({ type: "payment.requested", payload: { public_id: "p-1" } });
  const { status, text: answer } = await ask(`${rest.url}/audit-logs`, {
    method: "POST",
    headers,
    body: text,
  });
  const { id, ...told } = JSON.parse(answer);
  expect([status, told]).toEqual([
    202,
    { event_id: { form: "header", parts: ["key-1"] }, outcome: null, original_id: null },
  ]);
  expect((await json(`${rest.url}/audit-logs/${id}`)).data).toMatchObject({
    event_type: "payment.requested",
    status: "PENDING",
  });
  const waited = await ask(`${rest.url}/audit-logs?wait=stored`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({
      specversion: "1.0",
      id: "ce-1",
      source: "team_service",
      type: "account.viewed",
      data: JSON.parse(text),
    }),
  });
  expect([waited.status, JSON.parse(waited.text)]).toMatchObject([
    201,
    { event_id: { form: "ce" }, outcome: "stored" },
  ]);
});

test("R-62 an event that intake would reject is refused with its reason and the field", async () => {
  const post = (body: string, type = "application/json") =>
    refusal(`${rest.url}/audit-logs`, { method: "POST", headers: { "content-type": type }, body });
  expect(await post('{"a":1,}')).toBe("400 EVENT_REJECTED event");
  expect(await post(eventText({ timestamp: "yesterday" }))).toBe("400 EVENT_REJECTED event.timestamp");
  expect(await post("{}", "text/plain")).toBe("415 INVALID_ARGUMENT");
  expect(await post("")).toBe("400 EVENT_REJECTED event");
  expect(await post("x".repeat(restLimits.bodyBytesMax + 1))).toBe("413 INVALID_ARGUMENT");
  expect(
    await refusal(`${rest.url}/audit-logs?wait=soon`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    }),
  ).toBe("400 INVALID_ARGUMENT wait");
});
