/** Metrics and health for operators, and the transparency log for who verifies it. No records' bodies, no names. Liveness never asks a dependency. */
import type { IncomingMessage, ServerResponse } from "node:http";
import fastify from "fastify";
import { LastroError } from "../../core/errors.ts";
import { hostPortText } from "../../lib/env-values.ts";
import type { ServerTlsSource } from "../../ports/server-tls.ts";
import {
  type ConnectionsObserver,
  defaultListenerLimits,
  endOldest,
  type ListenerLimits,
  oneAddress,
} from "../listener.ts";
import { listenerOptions, secureContextOf } from "../secure-context.ts";
import { type TilesOptions, tiles } from "./tiles.ts";

/** A part that is not `required` degrades the service without taking it out of rotation. */
export type PartHealth = {
  readonly ok: boolean;
  readonly required: boolean;
  /** What is wrong and what to do, or what it is; no personal data, no secrets. */
  readonly detail?: string;
};
/** By part: store, kafka, redis, breaker, partitions, … */
export type Readiness = Readonly<Record<string, PartHealth>>;

export type HttpServerOptions = {
  readonly address: { readonly host: string; readonly port: number };
  /** Writes the metrics and ends the response. */
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
  /** Answers within its own time limit; a throw counts as not ready. */
  readonly readiness: () => Promise<Readiness>;
  readonly tiles: TilesOptions;
  readonly observer: ConnectionsObserver;
  /** Undefined: in the clear. */
  readonly tls?: ServerTlsSource | undefined;
  readonly listener?: Partial<ListenerLimits>;
};

/** `address` is where it listens, with the port the system chose if 0 was asked for. */
export type HttpServer = AsyncDisposable & {
  readonly address: { readonly host: string; readonly port: number };
};

/** Nobody has a body to send. */
const requestMsMax = 10_000;
const urlBytesMax = 1_024;

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { address, metrics, readiness } = options;
  const limits = { ...defaultListenerLimits, requestMsMax, ...options.listener };
  const server = fastify({
    ...listenerOptions(options.tls, limits),
    logger: false,
    bodyLimit: 1,
    requestTimeout: limits.requestMsMax,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: urlBytesMax },
  });
  endOldest(server.server, {
    ...limits,
    listener: "http",
    log: options.tiles.log,
    observer: options.observer,
  });
  server.get("/livez", async () => ({ status: "ok" }));
  server.get("/readyz", async (_request, reply) => {
    const { status, parts } = await answerOf(readiness);
    return reply.code(status === "unavailable" ? 503 : 200).send({ status, parts });
  });
  server.get("/metrics", (request, reply) => {
    reply.hijack();
    metrics(request.raw, reply.raw);
  });
  options.tls?.onChange((tls) => server.server.setSecureContext(secureContextOf(tls)));
  await server.register(tiles, options.tiles);
  const listening = oneAddress(address).then((one) => server.listen(one));
  await listening.catch((cause: unknown) => {
    throw new LastroError(
      "CONFIG_INVALID",
      `HTTP cannot listen on ${hostPortText(address)}; free the port or set another with LASTRO_HTTP_ADDRESS`,
      { cause },
    );
  });
  const bound = server.server.address();
  return {
    address: {
      host: address.host,
      port: typeof bound === "object" && bound !== null ? bound.port : address.port,
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function answerOf(readiness: HttpServerOptions["readiness"]) {
  let parts: Readiness;
  try {
    parts = await readiness();
  } catch {
    parts = {
      readiness: { ok: false, required: true, detail: "readiness could not be found out; see the log" },
    };
  }
  const all = Object.values(parts);
  const isReady = all.every(({ ok, required }) => ok || !required);
  const status = !isReady ? "unavailable" : all.every(({ ok }) => ok) ? "ok" : "degraded";
  return { status, parts };
}
