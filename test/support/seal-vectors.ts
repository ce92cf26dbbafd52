/** The vectors of test/vectors/seal, as inputs of sealing. */
import { readdirSync, readFileSync } from "node:fs";
import type { Classification, Envelope, SourceEvent } from "../../src/core/event.ts";
import type { Kid, Rid } from "../../src/core/ids.ts";
import type { Randomness } from "../../src/ports/clock.ts";
import type { KeyClass } from "../../src/ports/key-store.ts";
import type { SealInput } from "../../src/privacy/seal.ts";
import { sealedMetaText } from "../../src/privacy/sealed-meta.ts";

export type SealVector = {
  readonly name: string;
  readonly lookup_key: string;
  readonly kek: { readonly epoch: number; readonly key: string };
  readonly rid: Rid;
  readonly event: {
    readonly key: string | null;
    readonly value: string;
    readonly headers: readonly (readonly [string, string | null])[];
    readonly kafka_ts: number;
  };
  readonly envelope: {
    readonly tenant: string;
    readonly producer_service: string;
    readonly producer_service_id: string;
    readonly trace_id: string;
    readonly action_at: string;
    readonly ownership_id: string | null;
    readonly uid: Envelope["identity"];
    readonly cuts: readonly (readonly [number, number])[];
    readonly canonical: string;
  };
  readonly entity: {
    readonly namespace: string;
    readonly type: string;
    readonly id: string;
    readonly pointer: string;
  };
  readonly catalogue: string;
  readonly expected: {
    readonly fp: string;
    readonly uid: string;
    readonly stream: string;
    readonly ownership: string | null;
    readonly page_key: string;
    readonly parts: readonly VectorPart[];
    readonly body: string;
  };
};
export type VectorPart = {
  readonly c: KeyClass;
  readonly k: Kid;
  readonly h: string;
  readonly m: string;
  readonly key_document: string;
  readonly dek: string;
  readonly wrap_nonce: string;
  readonly wrapped: string;
  readonly salt: string;
  readonly nonce: string;
  /** HChaCha20 of data key and the nonce's first 16 bytes: the key that XChaCha20 makes for one message. */
  readonly message_key: string;
  readonly meta: string;
};

const folder = new URL("../vectors/seal/", import.meta.url);
export const sealVectors: readonly SealVector[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")));

export const bytesOf = (hex: string): Buffer => Buffer.from(hex, "hex");

/** What sealing is given for the vector, or for another value with other cuts. */
export function sealInputOf(
  vector: SealVector,
  value = bytesOf(vector.event.value),
  cuts?: Envelope["cuts"],
): SealInput {
  const { event, envelope, entity, expected } = vector;
  const source: SourceEvent = {
    offset: 42,
    key: event.key === null ? null : bytesOf(event.key),
    value,
    headers: event.headers.map(([key, value]) => [key, value === null ? null : bytesOf(value)] as const),
    timestampMs: event.kafka_ts,
  };
  const [owner, actor] = expected.parts.map((part) => ({ kid: part.k, key: bytesOf(part.dek) }));
  if (owner === undefined) throw new Error("a vector without parts");
  const given = envelopeOf(vector);
  const parsed = cuts === undefined ? given : { ...given, cuts };
  return {
    event: source,
    rid: vector.rid,
    meta: sealedMetaText(source, parsed, classificationOf(entity), vector.catalogue),
    cuts: parsed.cuts,
    owner: { class: envelope.ownership_id === null ? "p" : "s", key: owner },
    actor,
  };
}

/** Gives the vector's salts and nonces, in the order in which sealing draws them. */
export function randomnessOf({ expected }: SealVector): Randomness {
  const drawn = bytesOf(expected.parts.map((part) => part.salt + part.nonce).join(""));
  let at = 0;
  return (bytes) => {
    at += bytes;
    return drawn.subarray(at - bytes, at);
  };
}

function envelopeOf({ envelope }: SealVector): Envelope {
  return {
    base: "",
    tenant: envelope.tenant,
    producerService: envelope.producer_service,
    producerServiceId: envelope.producer_service_id,
    traceId: envelope.trace_id,
    timestamp: { text: envelope.action_at, ms: Date.parse(envelope.action_at) },
    eventType: "account.created",
    payload: null,
    metadata: {},
    actor: { id: "u-77", ip: "192.0.2.7", role: "clerk", type: "user" },
    schemaVersion: "1.0",
    ownershipId: envelope.ownership_id ?? undefined,
    identity: envelope.uid,
    flags: [],
    cuts: envelope.cuts.map(([start, end]) => ({ start, end, class: "a" })),
    canonical: envelope.canonical,
  };
}

const classificationOf = (entity: SealVector["entity"]): Classification => ({
  entity: {
    namespace: entity.namespace,
    type: entity.type,
    id: entity.id,
    idPointer: entity.pointer,
    candidateIds: [entity.id],
  },
  action: { kind: "change", action: "new" },
  payloadIs: "state",
  severity: "MEDIUM",
  resourceType: undefined,
  indexed: {},
  processing: undefined,
  flags: [],
});
