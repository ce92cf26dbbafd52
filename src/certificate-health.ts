/** Which certificates the process has, and whether they are renewed in time: for readiness and for metrics. */
import type { CertificateTerm } from "./core/certificate-term.ts";
import type { Access } from "./open-access.ts";
import type { UpstreamTls } from "./open-upstream-tls.ts";
import type { Readiness } from "./servers/http/server.ts";

/** Those without a certificate are undefined. */
type Certificates = {
  readonly listeners: CertificateTerm | undefined;
  /** Shown to Kafka, Redis and MongoDB. */
  readonly upstream: CertificateTerm | undefined;
};

const files = {
  listeners: "LASTRO_TLS_CERT_FILE and LASTRO_TLS_KEY_FILE",
  upstream: "LASTRO_UPSTREAM_CERT_FILE and LASTRO_UPSTREAM_KEY_FILE",
};

/** What they are is asked each time: they are replaced while the process runs. */
export const certificatesOf =
  (access: Pick<Access, "certificateTerm">, upstream: Pick<UpstreamTls, "term">) => (): Certificates => ({
    listeners: access.certificateTerm(),
    upstream: upstream.term(),
  });

/** Nothing where there is no certificate. */
export function certificateHealth({ listeners, upstream }: Certificates, nowMs: number): Readiness {
  const terms = [
    ...(listeners ? [{ ...listeners, where: files.listeners }] : []),
    ...(upstream ? [{ ...upstream, where: files.upstream }] : []),
  ].toSorted((a, b) => a.expiresAtMs - b.expiresAtMs);
  const [first] = terms;
  if (first === undefined) return {};
  const due = terms.filter(({ renewByMs }) => nowMs >= renewByMs);
  const detail =
    due.length === 0
      ? `valid until ${timeOf(first)}`
      : due
          .map(
            (term) =>
              `${nowMs < term.expiresAtMs ? "expires" : "expired"} ${timeOf(term)}: replace the files that ${term.where} name`,
          )
          .join("; ");
  return { certificate: { ok: due.length === 0, required: false, detail } };
}

const timeOf = ({ expiresAtMs }: CertificateTerm): string => new Date(expiresAtMs).toISOString();
