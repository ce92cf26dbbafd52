/** Events that may be published, for the OpenAPI document: what `src/core/envelope-schema.ts` checks, as far as JSON Schema can say it. */
import * as z from "zod";
import { ipForm } from "./words.ts";

/** No NUL. */
const id = z.string().min(1).max(256).meta({ pattern: "^[^\\u0000]*$" });
const printable = z.string().meta({ pattern: "^[!-~]{1,200}$" });
const ip = z.string().meta(ipForm);
const dateTime = z.string().meta({ format: "date-time", pattern: "^20" });
const eventType = z.string().max(128).meta({ pattern: "^[a-z0-9_]+(\\.[a-z0-9_-]+)+$" });
const payload = z.looseObject({});

const oneOf = (...names: readonly string[]) => ({ oneOf: names.map((name) => ({ required: [name] })) });
const anyOf = (...names: readonly string[]) => ({ anyOf: names.map((name) => ({ required: [name] })) });

const metadata = z
  .looseObject({
    event_schema_version: z.string().max(32).meta({ pattern: "^\\d+(\\.\\d+){0,2}$" }),
    owner_id: id.optional().describe("Who acted; or user_id"),
    owner_ip: ip.optional().describe("Or user_ip"),
    owner_role: id.optional().describe("Or user_role"),
    owner_type: z.enum(["user", "service"]).optional().describe("user where one of user_* is given"),
    user_id: id.optional(),
    user_ip: ip.optional(),
    user_role: id.optional(),
    ownership_id: id.describe("Whose data the event is about; some producers' events need none"),
    event_id: z
      .unknown()
      .optional()
      .describe(
        "The event's id, text of 1 to 256 characters; not looked at where Idempotency-Key or a CloudEvent has one",
      ),
    status: z.unknown().optional().describe("SUCCESS, FAILURE or PENDING; else the verb says"),
    tenant_id: printable.optional(),
  })
  .meta({
    allOf: [
      oneOf("owner_id", "user_id"),
      oneOf("owner_ip", "user_ip"),
      oneOf("owner_role", "user_role"),
      anyOf("owner_type", "user_id", "user_ip", "user_role"),
    ],
  });

const example = {
  payload: { public_id: "a-1", name: "Ana" },
  metadata: {
    event_schema_version: "1.0",
    owner_id: "789",
    owner_ip: "192.0.2.10",
    owner_role: "admin",
    owner_type: "user",
    ownership_id: "1b08116e-74ff-4e71-8a17-26011cfea33f",
  },
};
const envelopeExample = {
  producer_service: "team_service",
  producer_service_id: "123e4567-e89b-12d3-a456-426614174000",
  trace_id: "7b3bf470-9456-11e8-9eb6-529269fb1459",
  timestamp: "2024-06-22T12:00:00Z",
  event_type: "account.updated",
  ...example,
};
const cloudEventExample = {
  specversion: "1.0",
  id: "4711",
  source: "team_service",
  type: "account.updated",
  time: "2024-06-22T12:00:00Z",
  traceparent: "00-7b3bf470945611e89eb6529269fb1459-00f067aa0ba902b7-01",
  producerserviceid: "123e4567-e89b-12d3-a456-426614174000",
  data: example,
};

const fields = {
  producer_service: printable,
  producer_service_id: id,
  trace_id: id,
  timestamp: dateTime.describe("Between the year 2000 and one year from now"),
  event_type: eventType.describe("Such as account.created"),
};

export const envelopeShape = z
  .looseObject({ ...fields, payload, metadata })
  .meta({ description: "docs/envelope.md", examples: [envelopeExample] });

/** What an attribute fills may stand in `data` instead, by its name there. */
const attributeOr = (attribute: string, field: string) => ({
  anyOf: [{ required: [attribute] }, { properties: { data: { required: [field] } } }],
});

export const cloudEventShape = z
  .looseObject({
    specversion: z.literal("1.0"),
    id,
    source: printable.describe("producer_service, unless data has it"),
    type: eventType.describe("event_type, unless data has it"),
    time: dateTime.optional().describe("timestamp, unless data has it"),
    traceparent: z
      .string()
      .meta({ pattern: "^00-[0-9a-f]{31}[1-9a-f]-[0-9a-f]{16}-[0-9a-f]{2}$" })
      .optional()
      .describe("Its trace id is trace_id, unless data has it"),
    producerserviceid: id.optional().describe("producer_service_id, unless data has it"),
    data: z
      .looseObject({ ...z.looseObject(fields).partial().shape, payload, metadata })
      .describe("The envelope, without what the attributes say"),
  })
  .meta({
    description: "A CloudEvent in structured mode",
    examples: [cloudEventExample],
    allOf: [
      attributeOr("time", "timestamp"),
      attributeOr("traceparent", "trace_id"),
      attributeOr("producerserviceid", "producer_service_id"),
    ],
  });
