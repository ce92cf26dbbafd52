/** What a listener gives to TLS; by files that may be replaced while it listens. */
import type { ServerOptions } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { ServerTls, ServerTlsSource } from "../ports/server-tls.ts";
import type { ListenerLimits } from "./listener.ts";

export const secureContextOf = ({ cert, key, clientCa }: ServerTls): SecureContextOptions => ({
  cert,
  key,
  ...(clientCa !== undefined && { ca: clientCa }),
  minVersion: "TLSv1.2",
});

/** Which clients are asked for a certificate, and turned away without one that verifies, and how long they may take for it. */
export const clientsOf = (
  { clientCa, clientsRequired }: ServerTls,
  { handshakeMsMax }: Pick<ListenerLimits, "handshakeMsMax">,
) => ({
  requestCert: clientCa !== undefined,
  rejectUnauthorized: clientsRequired,
  handshakeTimeout: handshakeMsMax,
});

/** So often within its time Node looks whether a request is there; by itself every 30 s. */
const looks = 10;

/** For Fastify; `https` null: in the clear. */
export function listenerOptions(
  source: ServerTlsSource | undefined,
  limits: ListenerLimits,
): { readonly http: ServerOptions; readonly https: ServerOptions | null } {
  const { headerBytesMax, headersMsMax, requestMsMax } = limits;
  const http = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersMsMax,
    requestTimeout: requestMsMax,
    connectionsCheckingInterval: Math.min(headersMsMax, requestMsMax) / looks,
  };
  const tls = source?.current();
  return {
    http,
    https: tls === undefined ? null : { ...http, ...secureContextOf(tls), ...clientsOf(tls, limits) },
  };
}
