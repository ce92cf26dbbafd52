/** Methods that a known path does not have: 405 with `Allow` (RFC 9110), before the caller, the body or any record is looked at. It tells no more than the OpenAPI document. */
import { METHODS } from "node:http";
import type { FastifyInstance } from "fastify";
import { Refused } from "./problem.ts";

type Known = { readonly method: "GET" | "POST"; readonly url: string };

/** Node never makes a request of CONNECT. */
const methods = METHODS.filter((method) => method !== "CONNECT");

export function refuseOtherMethods(server: FastifyInstance, known: readonly Known[]): void {
  const isSupported = new Set(server.supportedMethods);
  for (const method of methods) if (!isSupported.has(method)) server.addHttpMethod(method);
  for (const [url, routes] of Map.groupBy(known, (one) => one.url)) {
    const allowed: readonly string[] = routes.flatMap(({ method }) =>
      method === "GET" ? ["GET", "HEAD"] : [method],
    );
    server.route({
      method: methods.filter((method) => !allowed.includes(method)),
      url,
      // Before the body, which may be of any type and length.
      onRequest: (_request, reply, next) => {
        reply.header("allow", allowed.join(", "));
        next(new Refused("METHOD_REFUSED"));
      },
      handler: (_request, reply) => reply,
    });
  }
}
