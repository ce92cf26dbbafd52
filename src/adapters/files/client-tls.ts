/** The PEM files by which Lastro trusts Kafka, Redis and MongoDB and shows itself to them: accepted only as a whole, while the certificate is valid. */
import type { CertificateTerm } from "../../core/certificate-term.ts";
import type { ClientTls } from "../../ports/client-tls.ts";
import type { Clock } from "../../ports/clock.ts";
import { acceptPair, acceptRoots } from "./certificates.ts";

export const clientTlsParts = ["ca", "cert", "key"] as const;
type Part = (typeof clientTlsParts)[number];

const variables = {
  ca: "LASTRO_UPSTREAM_CA_FILE",
  cert: "LASTRO_UPSTREAM_CERT_FILE",
  key: "LASTRO_UPSTREAM_KEY_FILE",
};

type ParsedClientTls = {
  readonly tls: ClientTls;
  /** Undefined where no certificate is shown. */
  readonly term: CertificateTerm | undefined;
};

/** Throws CONFIG_INVALID. */
export function parseClientTls(texts: Readonly<Partial<Record<Part, string>>>, now: Clock): ParsedClientTls {
  const { ca, cert, key } = texts;
  if (ca !== undefined) acceptRoots(ca, variables.ca);
  const roots = ca !== undefined && { ca: [ca] as [string] };
  if (cert === undefined || key === undefined) return { tls: { ...roots }, term: undefined };
  const term = acceptPair({ cert, key }, variables, now);
  return { tls: { ...roots, cert: [cert], key: [key] }, term };
}

/** Between two connections: what TLS is given for one is never half old and half new. */
export function replaceClientTls(held: ClientTls, by: ClientTls): void {
  for (const part of clientTlsParts) {
    const [list, next] = [held[part], by[part]];
    if (list !== undefined && next !== undefined) [list[0]] = next;
  }
}
