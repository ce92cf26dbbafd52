/** The REST server: the routes of /api/v1, their limits, and an end that lets running requests finish. */
import { Server as TlsServer } from "node:tls";
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { CollectDeps } from "../../collect/publish-events.ts";
import { LastroError } from "../../core/errors.ts";
import { hostPortText } from "../../lib/env-values.ts";
import type { ObservedRequest, ObserveRequest } from "../../ports/request-observer.ts";
import type { ServerTlsSource } from "../../ports/server-tls.ts";
import type { QueryDeps } from "../../query/deps.ts";
import {
  type ConnectionsObserver,
  defaultListenerLimits,
  type ListenerLimits,
  oneAddress,
  refuseNewest,
} from "../listener.ts";
import { listenerOptions, secureContextOf } from "../secure-context.ts";
import { cutStalled } from "./answer-bounds.ts";
import { auditLogRoutes } from "./audit-log-routes.ts";
import { refuseConnection } from "./client-error.ts";
import { entityRoutes } from "./entity-routes.ts";
import { exportRoute } from "./export-route.ts";
import { insightRoutes } from "./insight-routes.ts";
import { logRoutes, ownershipRoutes } from "./log-routes.ts";
import { refuseOtherMethods } from "./methods.ts";
import { openApiOptions } from "./openapi.ts";
import { publishRoute } from "./publish-route.ts";
import { fail, type Route, type RouteOptions, serveRoutes } from "./route.ts";

export type RestServerOptions = Omit<RouteOptions, "guard"> & {
  readonly observeRequest: ObserveRequest;
  readonly observer: ConnectionsObserver;
  /** Port 0: any free one. */
  readonly address: { readonly host: string; readonly port: number };
  readonly listener?: Partial<ListenerLimits>;
  /** Undefined: in the clear. */
  readonly tls?: ServerTlsSource | undefined;
};
export type RestParts = { readonly query: QueryDeps; readonly collect: CollectDeps };

export type RestServer = AsyncDisposable & {
  /** host:port. */
  readonly address: string;
  /** No new requests; running ones get the grace, then they are cut. */
  drain(graceMs: number): Promise<void>;
};

const prefix = "/api/v1";
const urlBytesMax = 8_192;
const graceMs = 5_000;

const routesOf = ({ query, collect }: RestParts): readonly Route[] => [
  publishRoute(collect),
  ...auditLogRoutes(query),
  ...insightRoutes(query),
  exportRoute(query),
  ...entityRoutes(query),
  ...ownershipRoutes(query),
  ...logRoutes(query),
];

export async function buildRestServer(
  options: RestServerOptions,
  parts: RestParts,
): Promise<FastifyInstance> {
  const { log, observer } = options;
  const limits = { ...defaultListenerLimits, ...options.listener };
  const server = fastify({
    ...listenerOptions(options.tls, limits),
    logger: false,
    requestTimeout: limits.requestMsMax,
    routerOptions: { maxParamLength: urlBytesMax },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => fail(error, request, reply, options.log),
  });
  refuseNewest(server.server, { ...limits, listener: "rest", log, observer });
  server.removeAllContentTypeParsers();
  // Whoever sends it is not known yet: a route takes the body.
  server.addContentTypeParser("*", (_request, _body, done) => done(null));
  server.setValidatorCompiler(() => () => true);
  observe(server, options.observeRequest);
  server.addHook("onRequest", (_request, reply, next) => {
    cutStalled(reply.raw, options.limits.stallMsMax);
    next();
  });
  await server.register(swagger, openApiOptions());
  await server.register(
    async (api) => {
      const [document, routes] = ["/openapi.json", routesOf(parts)];
      api.get(document, { schema: { hide: true } }, async () => server.swagger());
      serveRoutes(api, routes, { ...options, guard: parts.query.guard });
      refuseOtherMethods(api, [{ method: "GET", url: document }, ...routes]);
    },
    { prefix },
  );
  await server.ready();
  return server;
}

/** As proxies tell of a client that went before its answer. */
const clientLeft = 499;

function observe(server: FastifyInstance, observeRequest: ObserveRequest): void {
  const running = new WeakMap<FastifyRequest, ObservedRequest>();
  server.addHook("onRequest", (request, reply, next) => {
    const { traceparent } = request.headers;
    const observed = observeRequest({
      method: request.method,
      route: request.routeOptions.url,
      traceparent: typeof traceparent === "string" ? traceparent : undefined,
    });
    running.set(request, observed);
    reply.raw.once("close", () => observed.end(reply.raw.writableFinished ? reply.statusCode : clientLeft));
    next();
  });
  server.addHook("preHandler", (request, _reply, next) => running.get(request)?.within(next));
}

export async function startRestServer(options: RestServerOptions, parts: RestParts): Promise<RestServer> {
  const { host, port } = options.address;
  const server = await buildRestServer(options, parts);
  const listening = oneAddress({ host, port }).then((address) => server.listen(address));
  await listening.catch((cause: unknown) => {
    const why = `REST cannot listen on ${hostPortText({ host, port })}; free the port or set another with LASTRO_REST_ADDRESS`;
    throw new LastroError("CONFIG_INVALID", why, { cause });
  });
  const listener = server.server;
  if (listener instanceof TlsServer)
    options.tls?.onChange((tls) => listener.setSecureContext(secureContextOf(tls)));
  const bound = server.server.address();
  const drain = async (ms: number): Promise<void> => {
    const cut = setTimeout(() => server.server.closeAllConnections(), ms);
    await server.close();
    clearTimeout(cut);
  };
  return {
    address: hostPortText({
      host,
      port: typeof bound === "object" && bound !== null ? bound.port : port,
    }),
    drain,
    [Symbol.asyncDispose]: () => drain(graceMs),
  };
}
