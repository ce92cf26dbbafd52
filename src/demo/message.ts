/** The three producers and how each writes an event: the standard envelope, with the names and the event ids of its own habit. */
import type { RejectReason } from "../core/outcome.ts";
import type { Chance } from "./chance.ts";
import type { Actor } from "./people.ts";

export const demoTenant = "demo";

export const producers = ["team_service", "billing_service", "identity_service"] as const;
export type Producer = (typeof producers)[number];

/** What the day promises of a message; the service is held to it. */
export type Promised =
  | { readonly kind: "stored" }
  /** Of the message at that place of the day. */
  | { readonly kind: "duplicate" | "conflict"; readonly of: number }
  | { readonly kind: "rejected"; readonly reason: RejectReason };

/** What a producer sends; `key` decides the partition, so the copies and versions of one thing keep their order. */
export type Sent = {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
};

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type Act = {
  readonly producer: Producer;
  readonly eventType: string;
  readonly atMs: number;
  readonly traceId: string;
  /** Undefined: the producer gives none. */
  readonly eventId: string | undefined;
  readonly actor: Actor;
  readonly ownershipId: string;
  readonly key: string;
  readonly payload: JsonObject;
};

const instances: Readonly<Record<Producer, string>> = {
  team_service: "123e4567-e89b-12d3-a456-426614174000",
  billing_service: "billing-7d9c5b6f4-x2x8q",
  identity_service: "identity-5f6d8c9b7-lq4zt",
};

/** The envelope as its producer writes it. team_service, like the reference event, says `user_*` for `owner_*`. */
export function envelopeOf(act: Act) {
  const { producer, actor } = act;
  const who: JsonObject =
    producer === "team_service" && actor.type === "user"
      ? { user_id: actor.id, user_role: actor.role, user_ip: actor.ip }
      : { owner_id: actor.id, owner_role: actor.role, owner_ip: actor.ip, owner_type: actor.type };
  return {
    producer_service: producer,
    producer_service_id: instances[producer],
    trace_id: act.traceId,
    timestamp: new Date(act.atMs).toISOString(),
    event_type: act.eventType,
    payload: act.payload,
    metadata: {
      event_schema_version: "1.0",
      environment: "production",
      ...who,
      ownership_id: act.ownershipId,
      tenant_id: demoTenant,
      ...(producer === "team_service" && act.eventId !== undefined && { event_id: act.eventId }),
    },
  } satisfies JsonObject;
}

/** team_service names the event in its metadata, billing_service in a header, identity_service as a CloudEvent. */
export function headersOf(act: Pick<Act, "producer" | "eventId" | "eventType">): Sent["headers"] {
  if (act.eventId === undefined || act.producer === "team_service") return {};
  if (act.producer === "billing_service") return { event_id: act.eventId };
  return {
    ce_specversion: "1.0",
    ce_id: act.eventId,
    ce_source: "/identity/sao-paulo",
    ce_type: act.eventType,
  };
}

export const jsonBytes = (value: Json): Buffer => Buffer.from(JSON.stringify(value));

export const sentOf = (act: Act): Sent => ({
  key: act.key,
  value: jsonBytes(envelopeOf(act)),
  headers: headersOf(act),
});

export const uuidTrace = (chance: Chance): string => chance.uuid();
export const w3cTrace = (chance: Chance): string => chance.uuid().replaceAll("-", "");
