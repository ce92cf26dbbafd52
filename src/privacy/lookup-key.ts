/** The lookup key L: turns identities into columns that can be compared but not read back. L itself never leaves the closure. */
import type { EventIdentity } from "../core/event.ts";
import type { B64, Fingerprint, OwnershipKey, StreamId, Uid } from "../core/ids.ts";
import { hmacSha256, hmacWith } from "./hmac.ts";

export type LookupKey = {
  uid(tenant: string, producerService: string, identity: EventIdentity, fingerprint: Fingerprint): Uid;
  /** Of the RFC 8785 text of the event as received. */
  fingerprint(canonical: string): Fingerprint;
  stream(tenant: string, namespace: string, entityType: string, entityId: string): StreamId;
  ownership(tenant: string, ownershipId: string): OwnershipKey;
  /** 32 bytes: the key of page tokens. */
  pageKey(): Uint8Array;
  /** 32 bytes: the key of viewer tokens. */
  viewerKey(): Uint8Array;
};

export function lookupKey(l: Uint8Array): LookupKey {
  const uid = hmacWith(l, "lastro/v1/uid\0");
  const fingerprint = hmacWith(l, "lastro/v1/fp\0");
  const stream = remembering(hmacWith(l, "lastro/v1/stream\0"));
  const ownership = remembering(hmacWith(l, "lastro/v1/ownership\0"));
  // An array of well-formed strings: JSON.stringify gives its RFC 8785 text.
  const text = (...parts: readonly string[]): string => JSON.stringify(parts);
  const page = hmacSha256(l, `lastro/v1/page\0${text()}`);
  const viewer = hmacSha256(l, `lastro/v1/viewer\0${text()}`);
  return {
    uid(tenant, producerService, { form, parts }, ofEvent) {
      // Without an id from the producer the fingerprint is the identity.
      const identity = form === "fp" ? [ofEvent] : parts;
      return uid(text(tenant, producerService, form, ...identity)) as Uid;
    },
    fingerprint: (canonical) => fingerprint(canonical) as Fingerprint,
    stream: (tenant, namespace, entityType, entityId) =>
      stream(text(tenant, namespace, entityType, entityId)) as StreamId,
    ownership: (tenant, ownershipId) => ownership(text(tenant, ownershipId)) as OwnershipKey,
    pageKey: () => page,
    viewerKey: () => viewer,
  };
}

/** Entities and people come again soon after they came; a third of what an answer costs is to know that it was given before. */
const answersMax = 10_000;

function remembering(hmac: (message: string) => B64): (message: string) => B64 {
  const answers = new Map<string, B64>();
  return (message) => {
    const known = answers.get(message);
    if (known !== undefined) return known;
    if (answers.size >= answersMax) answers.clear();
    const answer = hmac(message);
    answers.set(message, answer);
    return answer;
  };
}
