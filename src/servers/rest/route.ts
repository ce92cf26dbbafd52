/** One way in for every request: who asks, deadline, cancellation, errors. A route is a function of what was asked, caller and signal. */
import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import { type PeerCertificate, TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import type { Method } from "../../access/policy.ts";
import type { Caller } from "../../core/caller.ts";
import { LastroError } from "../../core/errors.ts";
import type { Authenticate, Credentials } from "../../ports/authenticate.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import { invalid, type QueryDeps } from "../../query/deps.ts";
import { admit } from "../../query/permit.ts";
import { certificateOf } from "../certificate-names.ts";
import { lagHeader, lagText } from "../store-lag.ts";
import { deadlineOf, pieceBytes, piecesOf } from "./answer-bounds.ts";
import { bodyOf } from "./body.ts";
import { type JsonSchema, shapeOf } from "./json-schema.ts";
import { isUnexpected, problemOf, problemType, Refused } from "./problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the OpenAPI document tells of it. */
    readonly route?: Route;
  }
}

export type Answer = {
  /** 200 unless given. */
  readonly status?: number;
  /** JSON text unless `type` is given. */
  readonly body: string | Readable;
  readonly type?: string;
  /** Suggested name of a file. */
  readonly fileName?: string;
  /** Of the latest published tree before the answer was read. */
  readonly treeSize?: number | undefined;
};
export type Asked<Params, Query> = {
  readonly params: Params;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
};
export type AnswerShape = {
  readonly description: string;
  readonly content: Readonly<Record<string, JsonSchema>>;
};

type Fields = Readonly<Record<string, z.ZodType>>;
export type Route<Params extends Fields = Fields, Query extends Fields = Fields> = {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Name in the OpenAPI document. */
  readonly name: string;
  /** The policy's name of what it asks. */
  readonly asks: Method;
  readonly summary: string;
  readonly tag: string;
  readonly params: Params;
  readonly query: Query;
  /** Of the request, by its types. */
  readonly body?: { readonly shapes: Readonly<Record<string, JsonSchema>>; readonly headers: Fields };
  readonly answers: Readonly<Record<number, AnswerShape>>;
  /** Its answer is a stream, which has a longer deadline. */
  readonly streams?: true;
  handle(
    asked: Asked<z.output<z.ZodObject<Params>>, z.output<z.ZodObject<Query>>>,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Answer>;
};

/** Gives `handle` the types of its own parameters. */
export const route = <Params extends Fields, Query extends Fields>(given: Route<Params, Query>): Route =>
  given as unknown as Route;

export const jsonAnswer = (description: string, shape: z.ZodType | JsonSchema): AnswerShape => ({
  description,
  content: { "application/json": shape instanceof z.ZodType ? shapeOf(shape) : shape },
});
export type RouteOptions = Pick<QueryDeps, "guard"> & {
  readonly authenticate: Authenticate;
  /** All that Kafka held so long ago is stored; undefined where that is not known. */
  readonly storeLagMs: () => number | undefined;
  readonly now: Clock;
  readonly log: Log;
  readonly limits: {
    readonly requestsMax: number;
    readonly deadlineMsMax: number;
    readonly streamMsMax: number;
    /** A reader that takes nothing for this long is cut. */
    readonly stallMsMax: number;
    readonly bodyBytesMax: number;
  };
};

/** Whole seconds, at least one. */
const retryAfterOf = (error: unknown): string =>
  String(Math.max(1, Math.ceil((error instanceof LastroError ? (error.retryAfterMs ?? 0) : 0) / 1_000)));

export function serveRoutes(server: FastifyInstance, routes: readonly Route[], options: RouteOptions): void {
  let running = 0;
  for (const one of routes) {
    const [params, query] = [z.strictObject(one.params), z.strictObject(one.query)];
    const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      if (running >= options.limits.requestsMax) {
        throw new LastroError("LIMIT_REACHED", "too many requests at once; try again");
      }
      running += 1;
      reply.raw.once("close", () => {
        running -= 1;
      });
      const { signal, late } = deadlineOf(
        reply.raw,
        one.streams ? options.limits.streamMsMax : options.limits.deadlineMsMax,
      );
      const answer = async (): Promise<Answer> => {
        const caller = await options.authenticate(credentialsOf(request), signal);
        // Of a client that has gone meanwhile no close comes any more.
        signal.throwIfAborted();
        reply.raw.once("close", admit(options, caller, one.asks));
        const asked = {
          params: checked(params, request.params),
          query: checked(query, request.query),
          headers: request.headers,
          body: await sentBody(one, request, options.limits.bodyBytesMax, signal),
        };
        return one.handle(asked, caller, signal);
      };
      return send(request, reply, await Promise.race([answer(), late]), options);
    };
    server.route({
      method: one.method,
      url: one.url,
      schema: { hide: false },
      config: { route: one },
      handler: serve,
    });
  }
  server.setErrorHandler((error, request, reply) => fail(error, request, reply, options.log));
  server.setNotFoundHandler((request, reply) => {
    fail(
      new LastroError("NOT_FOUND", "there is no such path; GET /api/v1/openapi.json lists them"),
      request,
      reply,
      options.log,
    );
  });
}

const noBody = new Uint8Array();

async function sentBody(
  { body }: Route,
  { mediaType = "", raw }: FastifyRequest,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === undefined) return noBody;
  if (!Object.hasOwn(body.shapes, mediaType)) throw new Refused("BODY_TYPE");
  return bodyOf(raw, bytesMax, signal);
}

/** What HEAD asks is the head alone: a stream ends unread, and its length is not told. */
function bodyFor({ method }: FastifyRequest, reply: FastifyReply, body: Answer["body"]): Answer["body"] {
  if (typeof body === "string") return method === "HEAD" ? body : inPieces(reply, body);
  if (method !== "HEAD") return body;
  body.destroy();
  return Readable.from([]);
}

function inPieces(reply: FastifyReply, body: string): string | Readable {
  const bytes = Buffer.byteLength(body);
  if (bytes <= pieceBytes) return body;
  reply.header("content-length", bytes);
  return Readable.from(piecesOf(body));
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  { storeLagMs }: Pick<RouteOptions, "storeLagMs">,
): FastifyReply {
  const { status = 200, body, type = "application/json; charset=utf-8", fileName, treeSize } = answer;
  if (treeSize !== undefined) reply.header("x-audit-tree-size", String(treeSize));
  const lag = lagText(storeLagMs());
  if (lag !== undefined) reply.header(lagHeader, lag);
  if (fileName !== undefined) reply.header("content-disposition", `attachment; filename="${fileName}"`);
  return reply
    .code(status)
    .header("cache-control", "no-store")
    .type(type)
    .send(bodyFor(request, reply, body));
}

export function fail(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  if (isUnexpected(error)) {
    log.error(
      "rest_failed",
      "a request failed unexpectedly",
      { "url.path": request.routeOptions.url },
      error,
    );
  }
  const problem = problemOf(error);
  // More of the request may come.
  if (problem.status === 408) reply.header("connection", "close");
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  if (problem.status === 429 || problem.status === 503) reply.header("retry-after", retryAfterOf(error));
  reply
    .code(problem.status)
    .header("cache-control", "no-store")
    .type(problemType)
    .send(JSON.stringify(problem));
}

/** The first fault, under the name of its parameter. */
function checked<T extends z.ZodObject>(schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const field = visible(unknown ?? String(issue?.path[0] ?? ""));
  const why = unknown === undefined ? whyOf(given, issue) : "is no parameter of this path";
  throw invalid(field, why);
}

function whyOf(given: unknown, issue: z.core.$ZodIssue | undefined): string {
  const value = (given as Readonly<Record<string, unknown>>)[String(issue?.path[0])];
  if (Array.isArray(value)) return "must be given once";
  return value === undefined ? "must be given" : (issue?.message ?? "is not valid");
}

const fieldCharactersMax = 64;
/** A name that a caller made up goes into the answer and the log. */
const visible = (name: string): string => name.slice(0, fieldCharactersMax).replaceAll(/[^\x20-\x7e]/g, "?");

function credentialsOf({ headers, raw }: FastifyRequest): Credentials {
  const service = headers["x-m2m-service"];
  return {
    authorization: headers.authorization,
    m2mService: typeof service === "string" ? service : undefined,
    ...certificateOf(peerOf(raw.socket)),
  };
}

const peerOf = (socket: unknown): PeerCertificate | undefined =>
  socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
