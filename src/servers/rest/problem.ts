/** Errors as problem details (RFC 9457): a reason code, and the field where the fault is the caller's. Nothing of the inside leaks. */
import { STATUS_CODES } from "node:http";
import { status as grpc } from "@grpc/grpc-js";
import type { FastifyError } from "fastify";
import * as z from "zod";
import { errorCodes, LastroError } from "../../core/errors.ts";
import { told } from "../grpc/errors.ts";

export const problemType = "application/problem+json";

const fault = z.object({
  field: z.string().describe("Where it lies: a parameter, a header, or a field of the event"),
  detail: z.string(),
});
export const problemShape = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    reason: z.enum(errorCodes).describe("Closed list of codes"),
    errors: z.array(fault).optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problemShape>;

const httpStatus: Partial<Record<grpc, number>> = {
  [grpc.INVALID_ARGUMENT]: 400,
  [grpc.UNAUTHENTICATED]: 401,
  [grpc.PERMISSION_DENIED]: 403,
  [grpc.NOT_FOUND]: 404,
  [grpc.FAILED_PRECONDITION]: 409,
  [grpc.ABORTED]: 409,
  [grpc.RESOURCE_EXHAUSTED]: 429,
  [grpc.UNAVAILABLE]: 503,
  [grpc.DEADLINE_EXCEEDED]: 504,
};

/** Fields by their names in the proto files, where parameters are called otherwise. */
const parameterOf: ReadonlyMap<string, string> = new Map(
  Object.entries({
    rid: "id",
    by: "id",
    page_size: "limit",
    wait_for: "wait",
    "entity.tenant": "tenant",
    "entity.namespace": "namespace",
    "entity.entity_type": "type",
    "entity.entity_id": "id",
  }),
);

function problem(
  status: number,
  reason: Problem["reason"],
  detail: string,
  field: string | undefined,
): Problem {
  const title = STATUS_CODES[status] ?? "Error";
  const errors = field === undefined ? {} : { errors: [{ field, detail }] };
  return { type: "about:blank", title, status, detail, reason, ...errors };
}

type Refusal = readonly [status: number, detail: string];

const otherType: Refusal = [415, "the body must be application/json or application/cloudevents+json"];
const late: Refusal = [408, "the request did not arrive in time"];

/** By ourselves, for what is wrong with a request whatever it asks. */
const ownRefusals = {
  METHOD_REFUSED: [405, "this path does not have the method; Allow names those it has"],
  BODY_LATE: late,
  BODY_TOO_LARGE: [413, "the body is larger than an event may be"],
  BODY_TYPE: otherType,
} as const satisfies Readonly<Record<string, Refusal>>;

export class Refused extends Error {
  readonly code: keyof typeof ownRefusals;

  constructor(code: keyof typeof ownRefusals) {
    super(code);
    this.code = code;
  }
}

/** What is refused before a route is asked: by Fastify, and by Node's parser. */
const refusals: ReadonlyMap<string, Refusal> = new Map<string, Refusal>(
  Object.entries({
    ...ownRefusals,
    FST_ERR_CTP_INVALID_MEDIA_TYPE: otherType,
    FST_ERR_ROUTE_MISSING_CONTENT_TYPE: [
      415,
      "the method is none of GET and POST, and says nothing of its body",
    ],
    FST_ERR_BAD_URL: [400, "the path is not percent-encoded UTF-8"],
    FST_ERR_MAX_PARAM_LENGTH: [414, "a part of the path is too long"],
    HPE_HEADER_OVERFLOW: [431, "the URL with the headers is too long (LASTRO_REST_HEADER_BYTES_MAX)"],
    HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the extensions of the body's chunks are too long"],
    ERR_HTTP_REQUEST_TIMEOUT: late,
  } satisfies Readonly<Record<string, Refusal>>),
);

export function problemOf(error: unknown): Problem {
  const refusal = refusals.get((error as Partial<FastifyError> | undefined)?.code ?? "");
  if (refusal !== undefined && !(error instanceof LastroError))
    return problem(refusal[0], "INVALID_ARGUMENT", refusal[1], undefined);
  const { code, reason, message, field } = told(error);
  return problem(httpStatus[code] ?? 500, reason, message, field && (parameterOf.get(field) ?? field));
}

const notHttp: Refusal = [400, "this is no request of HTTP/1.1"];

export function problemOfConnection({ code = "" }: { readonly code?: string }): Problem {
  const [status, detail] = refusals.get(code) ?? notHttp;
  return problem(status, "INVALID_ARGUMENT", detail, undefined);
}

export const isUnexpected = (error: unknown): boolean =>
  !(error instanceof LastroError) && problemOf(error).status === 500;
