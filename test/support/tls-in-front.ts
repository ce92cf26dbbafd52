/** TLS that ends before a server which speaks in the clear; it asks clients for a certificate, if it is given who signs them. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from "node:tls";
import type { Certificate, CertificateAuthority } from "./certificates.ts";

export type TlsInFront = AsyncDisposable & {
  readonly address: string;
  readonly port: number;
  /** Names that clients asked for. */
  readonly names: ReadonlySet<string>;
  /** From now on it shows this certificate and takes clients of this authority, or `only` this one of them; what stood is cut. */
  become(own: Certificate, clients: CertificateAuthority, only?: Certificate): void;
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
  let client: X509Certificate | undefined;
  const names = new Set<string>();
  let context = createSecureContext({ cert, key, ...(clients && { ca: clients.ca }) });
  const named = {
    SNICallback: (name: string, done: (error: null, context?: SecureContext) => void): void => {
      names.add(name);
      done(null, only === undefined || name === only ? context : undefined);
    },
  };
  const server = createServer({ ...(only === undefined && { cert, key }), ...named, ...asked }, (socket) => {
    if (client !== undefined && socket.getPeerX509Certificate()?.serialNumber !== client.serialNumber) {
      socket.destroy();
      return;
    }
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
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    address: `127.0.0.1:${port}`,
    port,
    names,
    become({ cert, key }, { ca }, one) {
      const options = { cert, key, ca };
      context = createSecureContext(options);
      server.setSecureContext(options);
      client = one && new X509Certificate(one.cert);
      cut();
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
