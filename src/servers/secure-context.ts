/** What a listener gives to TLS; by files that may be replaced while it listens. */
import type { ServerOptions } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { ServerTls, ServerTlsSource } from "../ports/server-tls.ts";

export const secureContextOf = ({ cert, key, clientCa }: ServerTls): SecureContextOptions => ({
  cert,
  key,
  ...(clientCa !== undefined && { ca: clientCa }),
  minVersion: "TLSv1.2",
});

/** Which clients are asked for a certificate, and turned away without one that verifies. */
export const clientsOf = ({ clientCa, clientsRequired }: ServerTls) => ({
  requestCert: clientCa !== undefined,
  rejectUnauthorized: clientsRequired,
});

/** For Fastify; null: in the clear. */
export function httpsOptions(source: ServerTlsSource | undefined): ServerOptions | null {
  const tls = source?.current();
  return tls === undefined ? null : { ...secureContextOf(tls), ...clientsOf(tls) };
}
