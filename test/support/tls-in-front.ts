/** TLS that ends before a server which speaks in the clear; it asks clients for a certificate, if it is given who signs them. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from "node:tls";
import type { Certificate, CertificateAuthority } from "./certificates.ts";

export type TlsInFront = AsyncDisposable & {
  readonly address: string;
  readonly port: number;
  /** Names that clients asked for. */
  readonly names: ReadonlySet<string>;
};

/** With `only` it has a certificate for this name alone, and none for who names nothing: what routes by names knows no other way. */
export async function tlsInFrontOf(
  behind: { readonly hostname: string; readonly port: string },
  own: Certificate,
  clients?: CertificateAuthority,
  only?: string,
): Promise<TlsInFront> {
  const { cert, key } = own;
  const asked = clients && { ca: clients.ca, requestCert: true, rejectUnauthorized: true };
  const open = new Set<TLSSocket>();
  const names = new Set<string>();
  const context = createSecureContext({ cert, key, ...(clients && { ca: clients.ca }) });
  const named = {
    SNICallback: (name: string, done: (error: null, context?: SecureContext) => void): void => {
      names.add(name);
      done(null, only === undefined || name === only ? context : undefined);
    },
  };
  const server = createServer({ ...(only === undefined && { cert, key }), ...named, ...asked }, (socket) => {
    open.add(socket);
    const inner = connect(Number(behind.port), behind.hostname);
    const end = (): void => {
      open.delete(socket);
      socket.destroy();
      inner.destroy();
    };
    socket.on("error", end).on("close", end).pipe(inner);
    inner.on("error", end).on("close", end).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    port,
    names,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
