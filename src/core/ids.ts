/** Branded ids: inside, a plain string is never an id. Formats are those of the sealed body and the log. */
declare const brand: unique symbol;
export type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Base64url without padding. */
export type B64 = string;
/** Kafka's topic id (16 bytes, base64url): the incarnation of a topic. A re-created topic has another one. */
export type TopicId = Branded<B64, "TopicId">;
/** Source partition: topic id ‖ `.` ‖ partition. */
export type Src = Branded<string, "Src">;
/** Record id: topic id ‖ `.` ‖ partition ‖ `.` ‖ offset. Where an event came from is who it is. */
export type Rid = Branded<string, "Rid">;
/** HMAC of the producer's identity for the event (32 bytes, base64url); decides duplicates. */
export type Uid = Branded<B64, "Uid">;
/** HMAC of the event as received (32 bytes, base64url); tells a duplicate from a conflict. */
export type Fingerprint = Branded<B64, "Fingerprint">;
/** HMAC of (tenant, namespace, entity type, entity id) (32 bytes, base64url). */
export type StreamId = Branded<B64, "StreamId">;
/** HMAC of (tenant, ownership_id) (32 bytes, base64url); `_id` of the ownerships document. */
export type OwnershipKey = Branded<B64, "OwnershipKey">;
/** Id of a data key: 16 random bytes, base64url. */
export type Kid = Branded<B64, "Kid">;
/** Alias of a stream in leaf entries: 16 random bytes, base64url. */
export type StreamAlias = Branded<B64, "StreamAlias">;
/** 16 random bytes, hexadecimal, drawn once with a store. */
export type StoreId = Branded<string, "StoreId">;

/** Where an event lies: topic incarnation, partition, offset. Offsets beyond 2^53−1 are refused by the source. */
export type SourcePosition = {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly offset: number;
};

export const srcOf = (topicId: TopicId, partition: number): Src => `${topicId}.${partition}` as Src;
export const ridOf = (src: Src, offset: number): Rid => `${src}.${offset}` as Rid;

const topicNameForm = /^[a-zA-Z0-9._-]{1,249}$/;
/** Whether Kafka would take it for a topic's name. */
export const isTopicName = (text: string): boolean => topicNameForm.test(text);

const ridForm = /^([A-Za-z0-9_-]{22})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,15})$/;
const partitionMax = 0x7fff_ffff;

/** The position in a rid, or undefined when the text is no rid. */
export function parseRid(text: string): SourcePosition | undefined {
  const [, topicId, partitionText, offsetText] = ridForm.exec(text) ?? [];
  const [partition, offset] = [Number(partitionText), Number(offsetText)];
  if (topicId === undefined || partition > partitionMax || !Number.isSafeInteger(offset)) return undefined;
  return { topicId: topicId as TopicId, partition, offset };
}

export function parseSrc(src: Src): { readonly topicId: TopicId; readonly partition: number } {
  const dot = src.lastIndexOf(".");
  return { topicId: src.slice(0, dot) as TopicId, partition: Number(src.slice(dot + 1)) };
}
