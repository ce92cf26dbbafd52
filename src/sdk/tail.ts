/** Follows the records of a running service over gRPC, and goes on where it was after every break. Believes nothing: proofs are another step. */
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";
import {
  HistoryService,
  TailRecordsRequestSchema,
  type TailRecordsResponse,
} from "../gen/lastro/v1/history_pb.ts";
import {
  ActionType,
  EventStatus,
  type Record as RecordMessage,
  Severity,
  StreamKind,
} from "../gen/lastro/v1/record_pb.ts";
import { type Connection, failureOf, openConnection, type ServerAccess } from "./connection.ts";

const answerBytesMax = 16 * 1024 * 1024;
const retryMs = 1_000;
/** Breaks one after the other, none of which came behind more than the answer that each connection begins with. */
const breaksMax = 30;
/** A connection over which nothing comes for so long, not even the answer to a ping, has died without a word. */
const silenceDefaultMsMax = 30_000;
const method = HistoryService.method.tailRecords;

/** `index`: a log index, as in `nextIndex`; `checkpoint`: behind the tree of one that was kept (signed note). */
export type TailStart =
  | { readonly index: number }
  | { readonly recordedAtMs: number }
  | { readonly checkpoint: string }
  | "now";

export type TailedRecord = {
  readonly index: number;
  readonly rid: string;
  readonly recordedAt: string;
  readonly kind: string;
  readonly action: string;
  readonly eventType: string;
  readonly entity: {
    readonly tenant: string;
    readonly namespace: string;
    readonly type: string;
    readonly id: string;
  };
  readonly version: number;
  readonly producerService: string;
  readonly traceId: string;
  readonly ownerId: string;
  readonly ownershipId: string | null;
  readonly flags: readonly string[];
  /** LOW, MEDIUM, HIGH, CRITICAL; SUCCESS, FAILURE, PENDING. Empty where the service is older than these fields. */
  readonly severity: string;
  readonly status: string;
  /** What the catalogue calls the entity. */
  readonly resourceType: string | null;
  /** CREATE, READ, LOGIN_FAILED, … */
  readonly operation: string;
  /** JSON text as the producer sent it; empty where it was erased. */
  readonly event: string;
};

export type Tailed = {
  readonly records: readonly TailedRecord[];
  /** In the log, and altered or gone. */
  readonly alteredRids: readonly string[];
  /** Keep it: from here it goes on, after all that was given so far. */
  readonly nextIndex: number;
};

type Question = MessageInitShape<typeof TailRecordsRequestSchema>;

function questionOf(filter: string, from: TailStart): Question {
  if (from === "now") return { filter };
  if ("index" in from) return { filter, from: { case: "index", value: BigInt(from.index) } };
  if ("checkpoint" in from) return { filter, from: { case: "checkpoint", value: from.checkpoint } };
  return { filter, from: { case: "recordedAt", value: timestampFromMs(from.recordedAtMs) } };
}

const text = new TextDecoder();
const nameIn = (names: Readonly<Record<string, number>>, value: number): string =>
  Object.entries(names).find(([, known]) => known === value)?.[0] ?? "";
const wordIn = (names: Readonly<Record<string, number>>, value: number): string =>
  value === 0 ? "" : nameIn(names, value);

const tailedOf = ({ records, alteredRids, nextIndex }: TailRecordsResponse, sinceMs: number): Tailed => ({
  records: records
    .filter(({ recordedAt }) => recordedAt === undefined || timestampMs(recordedAt) >= sinceMs)
    .map(recordOf),
  alteredRids,
  nextIndex: Number(nextIndex),
});

function recordOf(record: RecordMessage): TailedRecord {
  const { rid, entity, recordedAt, kind, action, eventType, version, producerService, traceId } = record;
  return {
    index: Number(record.log?.index ?? -1),
    rid,
    recordedAt: recordedAt === undefined ? "" : timestampDate(recordedAt).toISOString(),
    kind: nameIn(StreamKind, kind).toLowerCase(),
    action: nameIn(ActionType, action).toLowerCase(),
    eventType,
    entity: {
      tenant: entity?.tenant ?? "",
      namespace: entity?.namespace ?? "",
      type: entity?.entityType ?? "",
      id: entity?.entityId ?? "",
    },
    version: Number(version),
    producerService,
    traceId,
    ownerId: record.actor?.ownerId ?? "",
    ownershipId: record.ownershipId ?? null,
    flags: record.flags,
    severity: wordIn(Severity, record.severity),
    status: wordIn(EventStatus, record.status),
    resourceType: record.resourceType ?? null,
    operation: record.operation,
    event: text.decode(record.event),
  };
}

/** The first answer of a connection says no more than that it began, unless it leads on. */
const leadsOn = (from: TailStart, nextIndex: number): boolean =>
  !(typeof from === "object" && "index" in from) || nextIndex > from.index;

const pauseAfterBreak = (signal: AbortSignal): Promise<unknown> => delay(retryMs, undefined, { signal });

/** Where a tail that had begun goes on: a token that is over gives way to a new one, grants that are gone to those that are left, a reader that was too slow begins again. */
const endings: ReadonlySet<status> = new Set([
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
]);

/**
 * Ends with the signal. After a break it asks again, behind what it gave, with what `access` gives then. Throws INVALID_ARGUMENT,
 * FAILED_PRECONDITION, LIMIT_REACHED, UNAUTHENTICATED and PERMISSION_DENIED as the service does; SOURCE_UNAVAILABLE when for long nothing answers or leads on.
 */
export async function* tailRecords(
  address: string,
  { filter, from }: { readonly filter: string; readonly from: TailStart },
  signal: AbortSignal,
  access: () => ServerAccess = () => ({}),
  silenceMsMax = silenceDefaultMsMax,
  pause = pauseAfterBreak,
): AsyncGenerator<Tailed, void, undefined> {
  // Behind a break the index alone is asked for; the minute that the walk begins before this is left out here.
  const sinceMs =
    typeof from === "object" && "recordedAtMs" in from ? from.recordedAtMs : Number.NEGATIVE_INFINITY;
  let start = from;
  for (let breaks = 0; !signal.aborted; ) {
    const connection = openConnection(address, access(), optionsFor(silenceMsMax));
    let hasBegun = false;
    try {
      for await (const answer of once(connection, questionOf(filter, start), silenceMsMax, signal)) {
        const tailed = tailedOf(answer, sinceMs);
        if (hasBegun || leadsOn(start, tailed.nextIndex)) breaks = 0;
        hasBegun = true;
        start = { index: tailed.nextIndex };
        yield tailed;
      }
    } catch (error) {
      if (signal.aborted) return;
      breaks += 1;
      const failure = error as ServiceError;
      const goesOn = failure.code === status.UNAVAILABLE || (hasBegun && endings.has(failure.code));
      if (!goesOn || breaks > breaksMax) throw failureOf(failure, address, method.name);
      await pause(signal).catch(() => undefined);
    } finally {
      connection.client.close();
    }
  }
}

/** The pings of the operating system come after hours, and the client sends none unless told to. */
const optionsFor = (silenceMsMax: number) => ({
  "grpc.max_receive_message_length": answerBytesMax,
  "grpc.keepalive_time_ms": (silenceMsMax * 2) / 3,
  "grpc.keepalive_timeout_ms": silenceMsMax / 3,
});

async function* once(
  { client, metadata }: Connection,
  question: Question,
  silenceMsMax: number,
  signal: AbortSignal,
) {
  const stream = client.makeServerStreamRequest(
    `/${HistoryService.typeName}/${method.name}`,
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes) => fromBinary(method.output, bytes),
    toBinary(TailRecordsRequestSchema, create(TailRecordsRequestSchema, question)),
    metadata,
  );
  const cancel = (): void => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  // Pings begin with the connection, and the first answer comes at once: without it there may be none.
  const silence = setTimeout(() => stream.destroy(unavailable("it does not answer")), silenceMsMax);
  try {
    for await (const answer of stream as AsyncIterable<TailRecordsResponse>) {
      clearTimeout(silence);
      yield answer;
    }
    // A tail has no end of its own: whoever ended it without an error stands between, or is going away.
    throw unavailable("it ended the tail");
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", cancel);
    stream.cancel();
  }
}

const unavailable = (details: string): Error =>
  Object.assign(new Error(details), { code: status.UNAVAILABLE, details });
