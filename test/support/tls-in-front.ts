/** TLS that ends before a server which speaks in the clear; it asks clients for a certificate, if it is given who signs them. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { Certificate, CertificateAuthority } from "./certificates.ts";

export type TlsInFront = AsyncDisposable & { readonly address: string };

export async function tlsInFrontOf(
  behind: { readonly hostname: string; readonly port: string },
  own: Certificate,
  clients?: CertificateAuthority,
): Promise<TlsInFront> {
  const { cert, key } = own;
  const asked = clients && { ca: clients.ca, requestCert: true, rejectUnauthorized: true };
  const open = new Set<TLSSocket>();
  const server = createServer({ cert, key, ...asked }, (socket) => {
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
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
