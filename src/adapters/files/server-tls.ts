/** Certificate, key and client CA of the listeners: accepted only as a whole, while they are valid. */
import type { Clock } from "../../ports/clock.ts";
import type { ServerTls } from "../../ports/server-tls.ts";
import { acceptPair, acceptRoots } from "./certificates.ts";

const variables = { cert: "LASTRO_TLS_CERT_FILE", key: "LASTRO_TLS_KEY_FILE" };

/** Texts in the order certificate, key, client CA. Throws CONFIG_INVALID. */
export function parseServerTls(
  [cert = "", key = "", clientCa]: readonly string[],
  clientsRequired: boolean,
  now: Clock,
): ServerTls {
  if (clientCa !== undefined) acceptRoots(clientCa, "LASTRO_TLS_CLIENT_CA_FILE");
  return { cert, key, clientCa, clientsRequired, term: acceptPair({ cert, key }, variables, now) };
}
