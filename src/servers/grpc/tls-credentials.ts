/** Credentials of the gRPC listener: in the clear, or TLS by files that may be replaced while it listens. */
import { ServerCredentials } from "@grpc/grpc-js";
import type { ServerTls, ServerTlsSource } from "../../ports/server-tls.ts";
import type { ListenerLimits } from "../listener.ts";
import { clientsOf, secureContextOf } from "../secure-context.ts";

type HandshakeLimits = Pick<ListenerLimits, "handshakeMsMax">;

/** grpc-js's own TLS credentials ask for a certificate of every client or of none, and keep their files for ever. */
class TlsCredentials extends ServerCredentials {
  constructor(tls: ServerTls, limits: HandshakeLimits) {
    super(clientsOf(tls, limits), secureContextOf(tls));
  }
  replace(tls: ServerTls): void {
    this.updateSecureContextOptions(secureContextOf(tls));
  }
  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

export function credentialsOf(
  source: ServerTlsSource | undefined,
  limits: HandshakeLimits,
): ServerCredentials {
  if (source === undefined) return ServerCredentials.createInsecure();
  const credentials = new TlsCredentials(source.current(), limits);
  source.onChange((tls) => credentials.replace(tls));
  return credentials;
}
