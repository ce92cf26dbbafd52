/** Certificate, key and client CA of the listeners: accepted only as a whole, while they are valid. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { LastroError } from "../../core/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ServerTls } from "../../ports/server-tls.ts";

/** Texts in the order certificate, key, client CA. Throws CONFIG_INVALID. */
export function parseServerTls(
  [cert = "", key = "", clientCa]: readonly string[],
  clientsRequired: boolean,
  now: Clock,
): ServerTls {
  const leaf = accepted("LASTRO_TLS_CERT_FILE holds no certificate (PEM)", () => new X509Certificate(cert));
  const privateKey = accepted("LASTRO_TLS_KEY_FILE holds no private key (PEM)", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey))
    throw refused("LASTRO_TLS_KEY_FILE is not the key of the certificate in LASTRO_TLS_CERT_FILE");
  accepted("LASTRO_TLS_CLIENT_CA_FILE holds no certificates (PEM)", () => {
    if (clientCa !== undefined) new X509Certificate(clientCa);
    createSecureContext({ cert, key, ...(clientCa !== undefined && { ca: clientCa }) });
  });
  const [fromMs, expiresAtMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  if (now() >= expiresAtMs) throw refused(`the certificate in LASTRO_TLS_CERT_FILE expired ${leaf.validTo}`);
  if (now() < fromMs)
    throw refused(`the certificate in LASTRO_TLS_CERT_FILE is valid from ${leaf.validFrom}`);
  return { cert, key, clientCa, clientsRequired, expiresAtMs };
}

const refused = (why: string, cause?: unknown): LastroError =>
  new LastroError("CONFIG_INVALID", why, { cause });

function accepted<T>(why: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw refused(why, cause);
  }
}
