/** One account's life and what happens around it, as three services publish it; the questions of the tests are asked about it. */
import type { TestMessage } from "../contract/event-source.kafka.ts";
import { message } from "./service.ts";

/** As published: the last metadata line ends with a comma, which is not JSON. */
export const publishedReference = `{ "producer_service": "team_service", "producer_service_id": "123e4567-e89b-12d3-a456-426614174000",
  "trace_id": "7b3bf470-9456-11e8-9eb6-529269fb1459", "timestamp": "2024-06-22T12:00:00Z", "event_type": "account.created",
  "payload": { "id": 123, "public_id": "123e4567-e89b-12d3-a456-426614174000", "document_registry": "12345678900", "name": "John Doe" },
  "metadata": { "event_schema_version": "1.0", "environment": "production", "user_id": "789", "user_role": "admin",
                "user_ip": "192.168.1.100", "ownership_id": "1b08116e-74ff-4e71-8a17-26011cfea33f", } }`;
export const reference = publishedReference.replace(/,(?= } }$)/, "");

export const accountId = "123e4567-e89b-12d3-a456-426614174000";
export const account = { namespace: "team_service", entityType: "account", entityId: accountId };
export const johnsOwnership = "1b08116e-74ff-4e71-8a17-26011cfea33f";
export const marysOwnership = "2c08116e-74ff-4e71-8a17-26011cfea33f";
export const trace = "7b3bf470945611e89eb6529269fb1459";
export const otherTrace = "00000000000000000000000000000abc";

const service = {
  user_id: undefined,
  user_role: undefined,
  user_ip: undefined,
  owner_id: "nightly-job",
  owner_ip: "10.0.0.9",
  owner_role: "batch",
  owner_type: "service",
};

const john = (type: string, day: number, payload: object): TestMessage =>
  message({
    type: `account.${type}`,
    timestamp: `2024-06-${day}T12:00:00Z`,
    payload: { public_id: accountId, ...payload },
  });

/** The five versions of the account, one after the other. */
export const accountLife: readonly TestMessage[] = [
  message({ text: reference }),
  john("updated", 23, { name: "John A. Doe" }),
  john("disabled", 24, { name: "John A. Doe" }),
  john("enabled", 25, { name: "John B. Doe" }),
  john("removed", 26, {}),
];

/** What else happens: somebody looks, two other services act for another person, one in a tenant of its own. */
export const aroundIt: readonly TestMessage[] = [
  message({
    type: "account.viewed",
    timestamp: "2024-06-27T12:00:00Z",
    payload: { public_id: accountId },
    metadata: { user_id: "4711", user_role: "support" },
  }),
  message({
    type: "order.created",
    timestamp: "2024-07-01T12:00:00Z",
    producer: "billing_service",
    traceId: otherTrace,
    payload: { public_id: "o-1", total: 12345678901234567890n.toString() },
    metadata: { event_id: "order-1", ownership_id: marysOwnership, ...service },
  }),
  message({
    type: "order.updated",
    timestamp: "2024-07-02T12:00:00Z",
    producer: "billing_service",
    traceId: otherTrace,
    payload: { public_id: "o-1", total: 2 },
    metadata: { event_id: "order-2", ownership_id: marysOwnership, ...service },
  }),
  message(
    {
      type: "team.member.added",
      timestamp: "2024-07-03T12:00:00Z",
      producer: "identity_service",
      payload: { id: 7 },
      metadata: { tenant_id: "acme", ownership_id: marysOwnership },
    },
    { event_id: "member-1" },
  ),
];
