/** By what the listeners show themselves and judge clients; may be replaced while they listen. */
import type { CertificateTerm } from "../core/certificate-term.ts";

export type ServerTls = {
  /** PEM texts; `cert` with the chain that leads to a root. */
  readonly cert: string;
  readonly key: string;
  /** Undefined: clients are asked for no certificate. */
  readonly clientCa: string | undefined;
  /** Fixed at the start: a client without a certificate that verifies is turned away by TLS. */
  readonly clientsRequired: boolean;
  readonly term: CertificateTerm;
};

export type ServerTlsSource = {
  current(): ServerTls;
  /** Called with each that takes the place of the one before. Connections that stand are not cut. */
  onChange(listener: (tls: ServerTls) => void): void;
};
