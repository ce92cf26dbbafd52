/** What holds for connections while nobody has said yet who they are: how many there are, and how long each may take before there is a request. */
import { lookup } from "node:dns/promises";
import type { Server, Socket } from "node:net";
import type { HostPort } from "../lib/env-values.ts";
import type { Log } from "../ports/log.ts";
import type { ListenerName, Observer } from "../ports/observer.ts";

export type ListenerLimits = {
  readonly connectionsMax: number;
  /** URL and headers of a request over HTTP/1.1. */
  readonly headerBytesMax: number;
  /** Until TLS is agreed on. */
  readonly handshakeMsMax: number;
  /** Until the headers of a request are there. */
  readonly headersMsMax: number;
  /** Until all of it is. */
  readonly requestMsMax: number;
};

export const defaultListenerLimits: ListenerLimits = {
  connectionsMax: 1_000,
  headerBytesMax: 32 * 1_024,
  handshakeMsMax: 10_000,
  headersMsMax: 10_000,
  requestMsMax: 30_000,
};

/** Where Fastify is to listen; of a name its first address, IPv4 before IPv6. By the name `localhost` it would open a second socket, which has no bound, keeps its first certificate, and is not cut at the end. */
export async function oneAddress({ host, port }: HostPort): Promise<HostPort> {
  const { address } = await lookup(host, { order: "ipv4first" });
  return { host: address, port };
}

type Bound = Pick<ListenerLimits, "connectionsMax"> & {
  readonly listener: ListenerName;
  readonly log: Log;
  readonly observer: ConnectionsObserver;
};
export type ConnectionsObserver = Pick<Observer, "connectionOverLimit">;

/** One more is not taken, and those that are there go on: a flood takes nothing from who is served. */
export function refuseNewest(server: Server, bound: Bound): void {
  server.maxConnections = bound.connectionsMax;
  server.on("drop", teller(bound));
}

/** For one more the one that is open longest ends: a flood keeps no health probe out, which comes on a connection of its own. */
export function endOldest(server: Server, bound: Bound): void {
  const tell = teller(bound);
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const [oldest] = open;
    if (oldest === undefined || open.size <= bound.connectionsMax) return;
    // It closes later, and is not to be found again.
    open.delete(oldest);
    oldest.destroy();
    tell();
  });
}

const quietMs = 60_000;

/** Each is counted. A flood must not become a flood of lines: the first is told at once, the others together. */
function teller({ listener, connectionsMax, log, observer }: Bound): () => void {
  let untold = 0;
  let isQuiet = false;
  const tell = (): void => {
    isQuiet = untold > 0;
    if (!isQuiet) return;
    setTimeout(tell, quietMs).unref();
    const why = `more than ${connectionsMax} connections at once: find out who opens them, or raise LASTRO_CONNECTIONS_MAX`;
    log.warn("connections_over_limit", why, { listener, connections: untold });
    untold = 0;
  };
  return () => {
    observer.connectionOverLimit(listener);
    untold += 1;
    if (!isQuiet) tell();
  };
}
