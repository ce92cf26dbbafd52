import { expect, test } from "@jest/globals";
import { type Catalogue, emptyCatalogue, parseCatalogue } from "../../src/core/catalogue.ts";
import { classify } from "../../src/core/entity.ts";
import { defaultParseOptions, parseEvent } from "../../src/core/envelope.ts";

const nowMs = Date.UTC(2024, 5, 22, 12, 1);

type Given = { readonly type: string; readonly payload: string; readonly version?: string };

const plain = (text: string) => ({ value: Buffer.from(text), headers: [] });

/** A CloudEvent that carries the envelope in one of its two ways. */
const structured = (carried: (text: string) => string) => (text: string) => ({
  value: Buffer.from(
    `{"specversion":"1.0","id":"e1","source":"team_service","type":"account.created",${carried(text)}}`,
  ),
  headers: [["content-type", Buffer.from("application/cloudevents+json")] as const],
});

function classified(
  event: Given,
  catalogue: Catalogue,
  message: typeof plain | ReturnType<typeof structured> = plain,
) {
  const text = `{"producer_service":"team_service","producer_service_id":"t1","trace_id":"t","timestamp":"2024-06-22T12:00:00Z",
    "event_type":"${event.type}","payload":${event.payload},"metadata":{"owner_id":"u1","owner_ip":"10.0.0.1","owner_role":"admin",
    "owner_type":"user","event_schema_version":"${event.version ?? "1.0"}","ownership_id":"o1"}}`;
  const parsed = parseEvent(
    { offset: 0, key: null, ...message(text), timestampMs: 0 },
    { ...defaultParseOptions, nowMs },
  );
  if (!parsed.ok) throw new Error(parsed.rejection.sentence);
  return classify(parsed.envelope, catalogue);
}

function accepted(event: Given, catalogue: Catalogue = emptyCatalogue) {
  const result = classified(event, catalogue);
  if (!result.ok) throw new Error(result.rejection.sentence);
  return result.classification;
}

function catalogueOf(file: unknown): Catalogue {
  const parsed = parseCatalogue(JSON.stringify({ version: 1, ...(file as object) }));
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return parsed.catalogue;
}

test.each([
  ["created", { kind: "change", action: "new" }, "MEDIUM"],
  ["updated", { kind: "change", action: "update" }, "MEDIUM"],
  ["removed", { kind: "change", action: "delete" }, "MEDIUM"],
  ["deleted", { kind: "change", action: "delete" }, "MEDIUM"],
  ["disabled", { kind: "change", action: "disable" }, "MEDIUM"],
  ["enabled", { kind: "change", action: "enable" }, "MEDIUM"],
  ["viewed", { kind: "activity" }, "LOW"],
  ["login-failed", { kind: "activity" }, "CRITICAL"],
  ["exported", { kind: "activity" }, "HIGH"],
  ["config-updated", { kind: "activity" }, "HIGH"],
  ["access-denied", { kind: "activity" }, "CRITICAL"],
  ["permission-granted", { kind: "activity" }, "CRITICAL"],
  ["role-assigned", { kind: "activity" }, "CRITICAL"],
])("R-68 R-06 the verb %s means %j", (verb, action, severity) => {
  expect(accepted({ type: `account.${verb}`, payload: '{"id":1}' })).toMatchObject({
    action,
    severity,
    flags: [],
  });
});

test("an unknown verb is an activity with a flag, so it never replaces a state", () => {
  const classification = accepted({ type: "account.teleported", payload: '{"id":1}' });
  expect(classification).toMatchObject({ action: { kind: "activity" }, flags: ["unknown_verb"] });
});

test("every id an event offers is a candidate, the chosen one first, and bad ones are left out", () => {
  const { entity } = accepted({
    type: "account.created",
    payload: '{"account_id":"x","id":5,"public_id":"p","other":1}',
  });
  expect(entity).toMatchObject({ id: "p", idPointer: "/payload/public_id", candidateIds: ["p", "5", "x"] });
  const { entity: second } = accepted({ type: "account.created", payload: '{"id":5,"account_id":{}}' });
  expect(second.candidateIds).toEqual(["5"]);
});

test("an id that is not chosen first is not passed over when it is bad", () => {
  const result = classified({ type: "account.created", payload: '{"public_id":"","id":5}' }, emptyCatalogue);
  expect(result).toMatchObject({
    ok: false,
    rejection: { reason: "INVALID_ENTITY_ID", pointer: "/payload/public_id" },
  });
});

test("the catalogue decides where the verb table would", () => {
  const catalogue = catalogueOf({
    events: {
      "account.*": { entity_id: "/payload/registry", namespace: "shared", resource_type: "Customer", severity: "HIGH", never_index: ["/payload/id"] },
      "account.teleported": { action: "update", payload_is: "merge", index: ["/payload/place", "/payload/secret/x", "/payload/n"], never_index: ["/payload/secret"],
        processing: { legal_basis: "LGPD 7 II", purpose: "support", retention_days: 30 } },
      "account.created": { kind: "activity" },
    },
  }); // biome-ignore format: a table
  const payload = '{"registry":7,"id":"cpf","place":"moon","secret":{"x":"y"},"n":9007199254740993}';
  expect(accepted({ type: "account.teleported", payload }, catalogue)).toEqual({
    entity: {
      namespace: "shared",
      type: "account",
      id: "7",
      idPointer: "/payload/registry",
      candidateIds: ["7", "cpf"],
    },
    action: { kind: "change", action: "update" },
    payloadIs: "merge",
    severity: "HIGH",
    resourceType: "Customer",
    indexed: { "/payload/place": "moon", "/payload/n": "9007199254740993" },
    processing: { legalBasis: "LGPD 7 II", purpose: "support", retentionDays: 30 },
    flags: [],
  });
  const created = accepted({ type: "account.created", payload }, catalogue);
  expect(created.action).toEqual({ kind: "activity" });
  expect(created.entity.candidateIds).toEqual(["7"]);
  const missing = classified({ type: "account.created", payload: '{"id":1}' }, catalogue);
  expect(missing).toMatchObject({
    ok: false,
    rejection: { reason: "INVALID_ENTITY_ID", pointer: "/payload/registry" },
  });
});

test("payloads are checked against the schema of their minor, other minors are accepted, other majors by policy", () => {
  const schemas = {
    "1.0": { type: "object", properties: { id: { type: "integer" } }, required: ["id", "constructor"] },
  };
  const accept = catalogueOf({ events: { "account.*": { schemas } } });
  const reject = catalogueOf({ unknown_major: "reject", events: { "account.*": { schemas } } });
  const event = (payload: string, version: string) => ({ type: "account.created", payload, version });
  expect(accept.majors).toEqual(["1"]);
  expect(accepted(event('{"id":1,"constructor":1}', "1.0"), accept).flags).toEqual([]);
  const wrong = classified(event('{"id":"12345","constructor":1}', "1.0"), accept);
  expect(wrong).toMatchObject({ ok: false, rejection: { reason: "PAYLOAD_SCHEMA", pointer: "/payload/id" } });
  expect(!wrong.ok && wrong.rejection.sentence).not.toContain("12345");
  // An inherited member is not a member of the payload.
  expect(classified(event('{"id":1}', "1.0"), accept)).toMatchObject({ ok: false });
  expect(accepted(event('{"id":"x"}', "1.3"), reject).flags).toEqual(["unknown_schema_version"]);
  expect(accepted(event('{"id":"x"}', "2.0"), accept)).toBeDefined();
  expect(classified(event('{"id":"x"}', "2.0"), reject)).toMatchObject({
    ok: false,
    rejection: { reason: "SCHEMA_VERSION" },
  });
});

test.each([
  ["plain event", "", plain],
  ["structured CloudEvent", "/data", structured((text) => `"data":${text}`)],
  [
    "structured CloudEvent in base64",
    "/data_base64",
    structured((text) => `"data_base64":"${Buffer.from(text).toString("base64")}"`),
  ],
])("refusals of a %s point into what was sent", (_, base, message) => {
  const schemas = { "1.0": { type: "object", properties: { id: { type: "integer" } } } };
  const checked = catalogueOf({ unknown_major: "reject", events: { "account.*": { schemas } } });
  const refusal = (given: Omit<Given, "type">, catalogue: Catalogue) => {
    const result = classified({ type: "account.created", ...given }, catalogue, message);
    if (result.ok) throw new Error("it was accepted");
    return result.rejection;
  };
  const wrong = refusal({ payload: '{"id":"x"}' }, checked);
  expect(wrong).toMatchObject({ reason: "PAYLOAD_SCHEMA", pointer: `${base}/payload/id` });
  expect(wrong.sentence).toContain(` ${base}/payload/id `);
  expect(refusal({ payload: '{"id":1}', version: "2.0" }, checked)).toMatchObject({
    reason: "SCHEMA_VERSION",
    pointer: `${base}/metadata/event_schema_version`,
  });
  expect(refusal({ payload: '{"id":""}' }, emptyCatalogue)).toMatchObject({
    reason: "INVALID_ENTITY_ID",
    pointer: `${base}/payload/id`,
    sentence: expect.stringMatching(new RegExp(`^${base}/payload/id gives`)),
  });
});
