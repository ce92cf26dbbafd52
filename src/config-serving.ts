/** Variables of what is served: the listeners, the limits of callers, and what is told of them. */
import { join } from "node:path";
import * as z from "zod";
import { accessVariables } from "./config-access.ts";
import { day, kib, mib, minute, number, optional, second, variable } from "./config-variable.ts";
import { evidenceBytesMax } from "./core/evidence.ts";
import { hostPort, isLoopback, onOff } from "./lib/env-values.ts";

// biome-ignore format: a table
export const servingVariables = {
  LASTRO_CONNECTIONS_MAX: number(10, 100_000, 1_000, "connections", "Connections at once on each listener. Over it gRPC and REST take no more; that of /livez ends its oldest, so that probes get through"),
  LASTRO_GRPC_ADDRESS: variable(hostPort, "127.0.0.1:50051", { description: "Listener of gRPC" }),
  LASTRO_GRPC_REFLECTION: optional(onOff, { description: "Server reflection", defaultText: "on while LASTRO_AUTH=none and gRPC is on loopback" }),
  LASTRO_GRPC_MESSAGE_BYTES_MAX: number(16 * kib, 64 * mib, 4 * mib, "bytes", "Largest request"),
  LASTRO_GRPC_ANSWER_BYTES_MAX: number(8 * mib, 64 * mib, 8 * mib, "bytes", "Largest answer; what compares two large events holds them twice"),
  LASTRO_GRPC_STREAMS_MAX: number(1, 10_000, 100, "calls", "Calls at once on one connection"),
  LASTRO_GRPC_METADATA_BYTES_MAX: number(kib, mib, 32 * kib, "bytes", "Largest metadata of a call"),
  LASTRO_GRPC_RESETS_BURST_MAX: number(1, 1_000_000, 1_000, "streams", "Streams of a connection that its client may reset at once after a rest"),
  LASTRO_GRPC_RESETS_PER_SECOND_MAX: number(1, 1_000_000, 33, "streams/s", "Streams that it may reset a second in the long run; a connection that resets more is closed"),
  LASTRO_GRPC_CONNECTION_AGE_MAX_MS: number(second, day, 30 * minute, "ms", "Age at which a connection is closed, once its calls have ended or 5 s later"),
  LASTRO_GRPC_CONNECTION_IDLE_MAX_MS: number(second, day, 5 * minute, "ms", "Time without a call after which a connection is closed"),
  LASTRO_GRPC_DEADLINE_MAX_MS: number(100, 10 * minute, 30 * second, "ms", "Longest a call may take, whatever its caller allows"),
  LASTRO_GRPC_STREAM_STALL_MS_MAX: number(100, 10 * minute, 10 * second, "ms", "A reader of a stream, or of an answer over REST, that takes nothing for this long is cut"),
  LASTRO_TAILS_MAX: number(1, 10_000, 100, "tails", "Tails at once in this process"),
  LASTRO_TAIL_HEARTBEAT_MS: number(100, 10 * minute, 10 * second, "ms", "A tail that has nothing to tell says so this often"),
  LASTRO_EXPORTS_MAX: number(1, 100, 2, "exports", "Exports that run at once in this process"),
  LASTRO_EXPORTS_KEPT_MAX: number(1, 10_000, 100, "exports", "Exports that are kept, running or ended"),
  LASTRO_EXPORT_BYTES_MAX: number(mib, 1_048_576 * mib, 16_384 * mib, "bytes", "Largest export"),
  LASTRO_EXPORT_KEPT_MS: number(minute, 366 * day, day, "ms", "From the beginning of an export until its files are removed"),
  LASTRO_CALLER_RATE_MAX: number(1, 1_000_000, 500, "calls/s", "Calls a second of one caller; none while LASTRO_AUTH=none"),
  LASTRO_CALLER_BURST_MAX: number(1, 1_000_000, 1_000, "calls", "Calls that a caller may make at once after a rest"),
  LASTRO_CALLER_CONCURRENT_MAX: number(1, 10_000, 50, "calls", "Calls of one caller at once"),
  LASTRO_SELF_AUDIT: optional(z.enum(["off", "on", "strict"], "must be off, on or strict"), { description: "Publish events about what callers read, were denied and did; `strict` answers nothing before its event is published", defaultText: "on, and off while LASTRO_AUTH=none" }),
  LASTRO_SELF_AUDIT_READS: variable(z.enum(["each", "counted"], "must be each or counted"), "each", { description: "One event a read, or one a caller and window" }),
  LASTRO_SELF_AUDIT_WINDOW_MS: number(second, 60 * minute, minute, "ms", "Window of what is counted: denied attempts, reads of these events themselves"),
  LASTRO_HTTP_ADDRESS: variable(hostPort, "127.0.0.1:8080", { description: "Listener of /metrics, /livez, /readyz, and of the transparency log" }),
  LASTRO_REST_ADDRESS: variable(hostPort, "127.0.0.1:8081", { description: "Listener of REST" }),
  LASTRO_REST_HEADER_BYTES_MAX: number(4 * kib, 128 * kib, 32 * kib, "bytes", "Largest URL and headers of a request, a token among them"),
  LASTRO_REST_REQUESTS_MAX: number(1, 10_000, 64, "requests", "REST requests at once in this process"),
  LASTRO_REST_DEADLINE_MAX_MS: number(100, 10 * minute, 30 * second, "ms", "Longest a REST request may take"),
  LASTRO_REST_EXPORT_MAX_MS: number(second, 60 * minute, 10 * minute, "ms", "Longest an export over REST may take; what is cut never looks whole"),
};

const Known = z.object({
  ...servingVariables,
  LASTRO_AUTH: accessVariables.LASTRO_AUTH,
  LASTRO_DATA_DIR: z.string(),
  LASTRO_EVENT_BYTES_MAX: z.number(),
});
type Values = z.output<typeof Known>;

export const servingShape = (v: Values) => ({
  grpc: {
    address: v.LASTRO_GRPC_ADDRESS,
    reflection: v.LASTRO_GRPC_REFLECTION ?? (v.LASTRO_AUTH === "none" && isLoopback(v.LASTRO_GRPC_ADDRESS)),
    connectionsMax: v.LASTRO_CONNECTIONS_MAX,
    messageBytesMax: v.LASTRO_GRPC_MESSAGE_BYTES_MAX,
    answerBytesMax: v.LASTRO_GRPC_ANSWER_BYTES_MAX,
    streamsMax: v.LASTRO_GRPC_STREAMS_MAX,
    metadataBytesMax: v.LASTRO_GRPC_METADATA_BYTES_MAX,
    resetsBurstMax: v.LASTRO_GRPC_RESETS_BURST_MAX,
    resetsPerSecondMax: v.LASTRO_GRPC_RESETS_PER_SECOND_MAX,
    connectionAgeMsMax: v.LASTRO_GRPC_CONNECTION_AGE_MAX_MS,
    connectionIdleMsMax: v.LASTRO_GRPC_CONNECTION_IDLE_MAX_MS,
    deadlineMaxMs: v.LASTRO_GRPC_DEADLINE_MAX_MS,
    streamStallMsMax: v.LASTRO_GRPC_STREAM_STALL_MS_MAX,
  },
  callers: {
    rateMax: v.LASTRO_CALLER_RATE_MAX,
    burstMax: v.LASTRO_CALLER_BURST_MAX,
    concurrentMax: v.LASTRO_CALLER_CONCURRENT_MAX,
  },
  selfAudit: {
    mode: v.LASTRO_SELF_AUDIT ?? (v.LASTRO_AUTH === "none" ? "off" : "on"),
    reads: v.LASTRO_SELF_AUDIT_READS,
    windowMs: v.LASTRO_SELF_AUDIT_WINDOW_MS,
  },
  tails: { tailsMax: v.LASTRO_TAILS_MAX, heartbeatMs: v.LASTRO_TAIL_HEARTBEAT_MS },
  exports: {
    folder: join(v.LASTRO_DATA_DIR, "exports"),
    limits: {
      runningMax: v.LASTRO_EXPORTS_MAX,
      keptMax: v.LASTRO_EXPORTS_KEPT_MAX,
      bytesMax: v.LASTRO_EXPORT_BYTES_MAX,
      evidenceBytesMax: Math.min(v.LASTRO_EXPORT_BYTES_MAX, evidenceBytesMax),
      keptMs: v.LASTRO_EXPORT_KEPT_MS,
    },
  },
  http: { address: v.LASTRO_HTTP_ADDRESS, listener: { connectionsMax: v.LASTRO_CONNECTIONS_MAX } },
  rest: {
    address: v.LASTRO_REST_ADDRESS,
    listener: { connectionsMax: v.LASTRO_CONNECTIONS_MAX, headerBytesMax: v.LASTRO_REST_HEADER_BYTES_MAX },
    limits: {
      requestsMax: v.LASTRO_REST_REQUESTS_MAX,
      deadlineMsMax: v.LASTRO_REST_DEADLINE_MAX_MS,
      streamMsMax: v.LASTRO_REST_EXPORT_MAX_MS,
      stallMsMax: v.LASTRO_GRPC_STREAM_STALL_MS_MAX,
      bodyBytesMax: v.LASTRO_EVENT_BYTES_MAX,
    },
  },
});
