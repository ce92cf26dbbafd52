/** An event comes in: the envelope or a CloudEvent as it would lie on Kafka. */
import * as z from "zod";
import { type CollectDeps, publishEvents } from "../../collect/publish-events.ts";
import { outcomeKinds } from "../../core/outcome.ts";
import { publishProblems } from "./answers.ts";
import { kafkaHeaders, structuredType } from "./event-headers.ts";
import { cloudEventShape, envelopeShape } from "./event-shapes.ts";
import { shapeOf } from "./json-schema.ts";
import { jsonAnswer, type Route, route } from "./route.ts";
import { oneOf, text } from "./words.ts";

const eventTypes = ["application/json", structuredType] as const;

const published = z.object({
  id: z.string().describe("Record id: the event's place on the audit topic"),
  event_id: z.object({ form: z.enum(["ce", "header", "metadata"]), parts: z.array(z.string()) }).nullable(),
  outcome: z.enum(outcomeKinds).nullable().describe("null where the answer did not wait"),
  original_id: z.string().nullable().describe("Of a duplicate or conflict: the record that has the event id"),
});

const waits = { stored: "stored", logged: "logged" } as const;

export const publishRoute = (deps: CollectDeps): Route =>
  route({
    method: "POST",
    url: "/audit-logs",
    name: "publishAuditLog",
    asks: "PublishEvents",
    summary: "Checks an event as intake will, and publishes it on the audit topic",
    tag: "audit logs",
    params: {},
    query: {
      wait: oneOf("stored", "logged")
        .optional()
        .describe("Until it has its outcome, or is in the log; else until Kafka has it"),
    },
    body: {
      shapes: { [eventTypes[0]]: shapeOf(envelopeShape), [eventTypes[1]]: shapeOf(cloudEventShape) },
      headers: {
        "idempotency-key": text
          .optional()
          .describe("The id of an event that is no CloudEvent: the same again is a duplicate"),
      },
    },
    answers: {
      201: jsonAnswer("It has its outcome", published),
      202: jsonAnswer("Every in-sync replica of Kafka has it", published),
      ...publishProblems,
    },
    async handle({ query, headers, body }, caller, signal) {
      const offered = { value: body, headers: kafkaHeaders(headers) };
      const wait = query.wait === undefined ? "acknowledged" : waits[query.wait];
      const [one] = await publishEvents(deps, [offered], wait, () => "event", caller, signal);
      if (one === undefined) throw new TypeError("one event gives one answer");
      const { rid, eventId, outcome } = one;
      const answer: z.infer<typeof published> = {
        id: rid,
        event_id: eventId === undefined ? null : { form: eventId.form, parts: [...eventId.parts] },
        outcome: outcome === undefined ? null : outcome === "stored" ? outcome : outcome.kind,
        original_id: typeof outcome === "object" && "original" in outcome ? outcome.original : null,
      };
      return { status: outcome === undefined ? 202 : 201, body: JSON.stringify(answer) };
    },
  });
