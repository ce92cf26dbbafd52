/** A TCP proxy that lets everything pass until it is told to hold a certain request: bytes under way while their sender stands still. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export type HoldingProxy = AsyncDisposable & {
  readonly port: number;
  /** Holds the first request that contains `bytes`, or the `nth`, and all that follows; resolves once it is held. */
  hold(bytes: Buffer, nth?: number): Promise<void>;
  /** Lets the nth such request pass and holds every reply from then on; resolves as soon as that reply is there. */
  holdReply(bytes: Buffer, nth: number): Promise<void>;
  /** Lets go what was held, in order. */
  release(): void;
};

type Wanted = {
  readonly bytes: Buffer;
  left: number;
  readonly what: "request" | "reply";
  readonly seen: () => void;
};

export async function openHoldingProxy(targetPort: number): Promise<HoldingProxy> {
  const sockets = new Set<Socket>();
  let wanted: Wanted | undefined;
  let held: (() => void)[] | undefined;
  let awaited: { readonly from: Socket; readonly seen: () => void } | undefined;

  const ask = (chunk: Buffer, upstream: Socket): void => {
    if (wanted !== undefined && chunk.includes(wanted.bytes) && --wanted.left === 0) {
      if (wanted.what === "reply") awaited = { from: upstream, seen: wanted.seen };
      else {
        held = [];
        wanted.seen();
      }
      wanted = undefined;
    }
    if (held === undefined) upstream.write(chunk);
    else held.push(() => upstream.write(chunk));
  };
  const answer = (chunk: Buffer, upstream: Socket, client: Socket): void => {
    if (awaited?.from === upstream) {
      held ??= [];
      awaited.seen();
    }
    if (awaited === undefined || held === undefined) client.write(chunk);
    else held.push(() => client.write(chunk));
  };
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
    }
    client.on("data", (chunk) => ask(chunk, upstream));
    upstream.on("data", (chunk) => answer(chunk, upstream, client));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    port: address.port,
    hold: (bytes, nth = 1) =>
      new Promise((seen) => {
        wanted = { bytes, left: nth, what: "request", seen };
      }),
    holdReply: (bytes, nth) =>
      new Promise((seen) => {
        wanted = { bytes, left: nth, what: "reply", seen };
      }),
    release() {
      const waiting = held ?? [];
      [held, awaited] = [undefined, undefined];
      for (const write of waiting) write();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
