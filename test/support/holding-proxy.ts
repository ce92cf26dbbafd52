/** A TCP proxy that lets everything pass until it is told to hold a certain request: bytes under way while their sender stands still. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export type HoldingProxy = AsyncDisposable & {
  readonly port: number;
  /** Holds the first request that contains `bytes`, and all that follows; resolves once it is held. */
  hold(bytes: Buffer): Promise<void>;
  /** Lets go what was held, in order. */
  release(): void;
};

export async function openHoldingProxy(targetPort: number): Promise<HoldingProxy> {
  const sockets = new Set<Socket>();
  let wanted: { readonly bytes: Buffer; readonly seen: () => void } | undefined;
  let held: (() => void)[] | undefined;

  const pass = (chunk: Buffer, upstream: Socket): void => {
    if (wanted !== undefined && chunk.includes(wanted.bytes)) {
      held = [];
      wanted.seen();
      wanted = undefined;
    }
    if (held === undefined) upstream.write(chunk);
    else held.push(() => upstream.write(chunk));
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
    client.on("data", (chunk) => pass(chunk, upstream));
    upstream.pipe(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    port: address.port,
    hold: (bytes) =>
      new Promise((seen) => {
        wanted = { bytes, seen };
      }),
    release() {
      const waiting = held ?? [];
      held = undefined;
      for (const write of waiting) write();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
