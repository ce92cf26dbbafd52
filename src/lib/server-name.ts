/** What a client of TLS asks for by name (SNI), so that a router before many servers knows which is meant. */
import { isIP } from "node:net";

/** Undefined for an address: RFC 6066 lets nobody ask for one. IPv6 may stand in brackets. */
export const serverNameOf = (host: string): string | undefined =>
  host === "" || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0 ? undefined : host;
