/** Errors as google.rpc.Status: every one with ErrorInfo, a caller's fault also with the field. Nothing of the inside leaks. */
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { type ErrorCode, isTransient, LastroError } from "../../core/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";

const errorDomain = "lastro";
export const statusDetailsKey = "grpc-status-details-bin";

function statusCode(code: ErrorCode): status {
  switch (code) {
    case "INVALID_ARGUMENT":
    case "EVENT_REJECTED":
      return status.INVALID_ARGUMENT;
    case "UNAUTHENTICATED":
      return status.UNAUTHENTICATED;
    case "PERMISSION_DENIED":
      return status.PERMISSION_DENIED;
    case "NOT_FOUND":
      return status.NOT_FOUND;
    case "FAILED_PRECONDITION":
    case "SOURCE_CHANGED":
    case "OFFSET_OUT_OF_RANGE":
    case "CORRUPT_BATCH":
    case "BATCH_TOO_LARGE":
    case "LOG_HALTED":
      return status.FAILED_PRECONDITION;
    case "LIMIT_REACHED":
    case "READER_TOO_SLOW":
      return status.RESOURCE_EXHAUSTED;
    case "MARK_LOST":
    case "VERSION_CONTENTION":
      return status.ABORTED;
    case "DEADLINE_EXCEEDED":
      return status.DEADLINE_EXCEEDED;
    case "BODY_UNREADABLE":
    case "LOG_DAMAGED":
      return status.DATA_LOSS;
    case "STORE_UNAVAILABLE":
    case "SOURCE_UNAVAILABLE":
    case "DEAD_LETTERS_UNAVAILABLE":
    case "KEY_UNAVAILABLE":
    case "WITNESS_UNAVAILABLE":
    case "ANCHOR_UNAVAILABLE":
    case "SECRETS_UNAVAILABLE":
    case "SHUTTING_DOWN":
    case "SWITCHED_OFF":
      return status.UNAVAILABLE;
    default:
      return status.INTERNAL;
  }
}

type Told = {
  readonly code: status;
  readonly reason: ErrorCode;
  readonly message: string;
  readonly field: string | undefined;
  readonly retryAfterMs?: number | undefined;
};

/** What the caller is told: an inside message only where it was written for callers. */
export function told(error: unknown): Told {
  const internal: Told = {
    code: status.INTERNAL,
    reason: "INTERNAL",
    message: "the service failed to answer; its log has the cause",
    field: undefined,
  };
  if (!(error instanceof LastroError)) return internal;
  const code = statusCode(error.code);
  if (code === status.INTERNAL) return internal;
  const message = isTransient(error)
    ? "something this answer needs is away just now; try again"
    : error.message;
  return { code, reason: error.code, message, field: error.field, retryAfterMs: error.retryAfterMs };
}

/** `place`: where a stream that was cut can be gone on with. */
export function statusOf(error: unknown, place: Readonly<Record<string, string>> = {}): Status {
  const { code, reason, message, field, retryAfterMs } = told(error);
  const info = create(ErrorInfoSchema, {
    reason,
    domain: errorDomain,
    metadata: field === undefined ? place : { ...place, field },
  });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (code === status.INVALID_ARGUMENT && field !== undefined) {
    const badRequest = create(BadRequestSchema, {
      fieldViolations: [{ field, description: message, reason }],
    });
    details.push(anyPack(BadRequestSchema, badRequest));
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(retryAfterMs);
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  return create(StatusSchema, { code, message, details });
}

export function grpcStatus(error: unknown, place: Readonly<Record<string, string>> = {}): StatusObject {
  const message = statusOf(error, place);
  const metadata = new Metadata();
  metadata.set(statusDetailsKey, Buffer.from(toBinary(StatusSchema, message)));
  return { code: message.code, details: message.message, metadata };
}
