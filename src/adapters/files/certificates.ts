/** Certificates of listeners and towards servers, as files hold them: accepted only as a whole, while they are valid. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { type CertificateTerm, certificateTerm } from "../../core/certificate-term.ts";
import { LastroError } from "../../core/errors.ts";
import type { Clock } from "../../ports/clock.ts";

type Pair = { readonly cert: string; readonly key: string };

/** `variables` name the files, for whoever has to mend them. Throws CONFIG_INVALID. */
export function acceptPair({ cert, key }: Pair, variables: Pair, now: Clock): CertificateTerm {
  const leaf = accepted(`${variables.cert} holds no certificate (PEM)`, () => new X509Certificate(cert));
  const privateKey = accepted(`${variables.key} holds no private key (PEM)`, () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey))
    throw refused(`${variables.key} is not the key of the certificate in ${variables.cert}`);
  accepted(`${variables.cert} holds a chain that cannot be read`, () => createSecureContext({ cert, key }));
  const [fromMs, expiresAtMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  if (now() >= expiresAtMs) throw refused(`the certificate in ${variables.cert} expired ${leaf.validTo}`);
  if (now() < fromMs) throw refused(`the certificate in ${variables.cert} is valid from ${leaf.validFrom}`);
  return certificateTerm(fromMs, expiresAtMs);
}

const eachCertificate = /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?(?=-----BEGIN|$)/gs;

/** TLS itself is content with those before the first that cannot be read, and with none. Throws CONFIG_INVALID. */
export function acceptRoots(roots: string, variable: string): void {
  accepted(`${variable} holds no certificates (PEM), or one that cannot be read`, () => {
    for (const one of roots.match(eachCertificate) ?? [roots]) new X509Certificate(one);
    createSecureContext({ ca: roots });
  });
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
