/** Credentials of the gRPC listener: in the clear, or TLS by files that may be replaced while it listens. */
import { ServerCredentials } from "@grpc/grpc-js";
import type { ServerTls, ServerTlsSource } from "../../ports/server-tls.ts";
import { clientsOf, secureContextOf } from "../secure-context.ts";

/** grpc-js's own TLS credentials ask for a certificate of every client or of none, and keep their files for ever. */
class TlsCredentials extends ServerCredentials {
  constructor(tls: ServerTls) {
    super(clientsOf(tls), secureContextOf(tls));
  }
  replace(tls: ServerTls): void {
    this.updateSecureContextOptions(secureContextOf(tls));
  }
  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

export function credentialsOf(source: ServerTlsSource | undefined): ServerCredentials {
  if (source === undefined) return ServerCredentials.createInsecure();
  const credentials = new TlsCredentials(source.current());
  source.onChange((tls) => credentials.replace(tls));
  return credentials;
}
