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

/** As a client puts it on the wire: each byte is one character of the header. */
const onWire = (text: string): string => Buffer.from(text).toString("latin1");

test("R-62 a CloudEvent has the same identity in ce- headers, percent-encoded or quoted, as in its JSON form", async () => {
  const event = { specversion: "1.0", source: "team_service", type: "account.viewed" };
  // Each of another tenant: none is a duplicate.
  const data = (n: number) =>
    eventText({ payload: { public_id: "p-2" }, metadata: { tenant_id: `tenant-${n}` } });
  const post = async (headers: Record<string, string>, body: string) =>
    (await json(`${rest.url}/audit-logs`, { method: "POST", headers, body })).event_id;
  let n = 0;
  const binary = (id: string, source = "ce%20a") =>
    post(
      {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": event.type,
        "ce-source": source,
        "ce-id": id,
      },
      data(n++),
    );
  for (const [id, headers] of [
    [
      "pedido 17/ç",
      ["pedido%2017/%C3%A7", "pedido%2017%2f%c3%a7", onWire("pedido 17/ç"), '"pedido 17/%C3%A7"'],
    ],
    ['a "b" \\ 100%', ["a%20%22b%22%20%5C%20100%25", '"a \\"b\\" \\\\ 100%25"']],
    ["%20", ["%2520"]],
  ] as const) {
    const structured = JSON.stringify({ ...event, source: "ce a", id, data: JSON.parse(data(n++)) });
    const expected = await post({ "content-type": "application/cloudevents+json" }, structured);
    expect(expected).toEqual({ form: "ce", parts: ["ce a", id] });
    for (const header of headers) expect([header, await binary(header)]).toEqual([header, expected]);
  }
});

test("R-62 headers with an event id are UTF-8, and a value that cannot be read is refused with its name", async () => {
  const post = (headers: Record<string, string>) => ({
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: eventText({ payload: { public_id: "p-3", headers } }),
  });
  const key = "pedido 17/ç 50%";
  const { event_id } = await json(`${rest.url}/audit-logs`, post({ "idempotency-key": onWire(key) }));
  expect(event_id).toEqual({ form: "header", parts: [key] });
  for (const [name, value] of [
    ["idempotency-key", "\u00e7"],
    ["traceparent", "\u00ff"],
    ["ce-id", "50%"],
    ["ce-id", "%C0%A0"],
    ["ce-id", "%E7"],
    ["ce-id", '"a'],
    ["ce-id", '"a" b'],
    ["ce-subject", "%zz"],
  ] as const)
    expect([value, await refusal(`${rest.url}/audit-logs`, post({ [name]: value }))]).toEqual([
      value,
      `400 INVALID_ARGUMENT ${name}`,
    ]);
});
