/** A TCP proxy between a service and one of its servers that misbehaves as networks and servers do, when it is told to. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./lastro.ts";

type Way = "requests" | "replies";

/** All of it at once; what is left out is as it should be. */
export type Condition = {
  /** Of each way. */
  readonly delayMs?: number;
  /** The delay is this much longer or shorter. */
  readonly jitterMs?: number;
  readonly bytesPerSecond?: number;
  /** What is sent this way waits, ends of connections included, and neither side is told. */
  readonly holds?: Way | "both";
  /** Open connections are reset, new ones refused. */
  readonly refuses?: true;
};

/** Hears what the two sides send, and says what goes on. */
export type Between = (
  client: Socket,
  server: Socket,
  pass: Readonly<Record<Way, (bytes: Buffer) => void>>,
) => void;

export type Link = AsyncDisposable & {
  readonly port: number;
  readonly address: string;
  become(condition: Condition): Promise<void>;
  /** Resets the open connections. */
  reset(): void;
  /** The open connections never carry another byte, and neither side is told; new ones work. */
  forget(): void;
  /** Holds the first request that contains `bytes`, or the `nth`, and all that follow, until the link becomes another; resolves once it is held. */
  hold(bytes: Buffer, nth?: number): Promise<void>;
  /** Lets the nth such request pass and holds its answer and all that follow; resolves once that answer is there. */
  holdAnswer(bytes: Buffer, nth: number): Promise<void>;
  /** Resets the connection in the middle of the next answer to a request that contains `bytes`; resolves once it is cut. */
  cutAnswer(bytes: Buffer): Promise<void>;
};

type Connection = {
  isForgotten: boolean;
  cut: (() => void) | undefined;
  held: (() => void) | undefined;
  reset(): void;
};
type Wanted = { readonly bytes: Buffer; left: number; readonly seen: (connection: Connection) => void };

const host = "127.0.0.1";
const plain: Between = (client, server, pass) => {
  client.on("data", pass.requests);
  server.on("data", pass.replies);
};

/** The address of a server, with the link before it; of a replica set this member alone. */
export function through(address: string, { port }: Pick<Link, "port">): string {
  const url = new URL(address);
  url.host = `${host}:${port}`;
  if (url.protocol === "mongodb:") url.search = "?directConnection=true";
  return url.href;
}

/** A socket that is being shut cannot be reset any more: Node would never close it, and the process never end. */
const resetSocket = (socket: Socket): Socket =>
  socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();

/** `random`: 0 to below 1, for the jitter. */
export async function openLink(
  targetPort: number,
  {
    between = plain,
    random = Math.random,
  }: { readonly between?: Between; readonly random?: () => number } = {},
): Promise<Link> {
  const connections = new Set<Connection>();
  let condition: Condition = {};
  let changed = Promise.withResolvers<void>();
  let wanted: Wanted | undefined;
  const port = await freePort();

  const isHeld = (connection: Connection, way: Way): boolean =>
    connection.isForgotten || condition.holds === way || condition.holds === "both";

  /** What is sent one way of a connection leaves in the order in which it came. */
  function lane(connection: Connection, way: Way): (leave: () => void, bytes: number) => void {
    let before = Promise.resolve();
    let dueMs = 0;
    return (leave, bytes) => {
      const { delayMs = 0, jitterMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = condition;
      const arrivesMs = performance.now() + delayMs + jitterMs * (2 * random() - 1);
      dueMs = Math.max(dueMs, arrivesMs) + (bytes / bytesPerSecond) * 1_000;
      const leavesMs = dueMs;
      before = before.then(async () => {
        const waitMs = leavesMs - performance.now();
        if (waitMs > 0) await sleep(waitMs);
        while (isHeld(connection, way)) await changed.promise;
        leave();
      });
    };
  }

  function join(client: Socket): void {
    const server = connect({ host, port: targetPort, noDelay: true });
    client.setNoDelay(true);
    const connection: Connection = {
      isForgotten: false,
      cut: undefined,
      held: undefined,
      reset() {
        for (const socket of [client, server]) resetSocket(socket);
      },
    };
    connections.add(connection);
    const [toServer, toClient] = [lane(connection, "requests"), lane(connection, "replies")];
    const look = (bytes: Buffer): void => {
      if (wanted === undefined || !bytes.includes(wanted.bytes) || --wanted.left > 0) return;
      wanted.seen(connection);
      wanted = undefined;
    };
    between(client, server, {
      requests(bytes) {
        look(bytes);
        toServer(() => server.write(bytes), bytes.length);
      },
      replies(bytes) {
        const { cut, held } = connection;
        if (held !== undefined) {
          condition = { ...condition, holds: "replies" };
          connection.held = undefined;
          held();
        }
        if (cut === undefined) return toClient(() => client.write(bytes), bytes.length);
        connection.cut = undefined;
        client.write(bytes.subarray(0, bytes.length / 2), () => {
          connection.reset();
          cut();
        });
      },
    });
    for (const [one, other, way] of [
      [client, server, toServer],
      [server, client, toClient],
    ] as const)
      one
        .on("error", () => one.destroy())
        .on("close", () => {
          way(() => other.destroy(), 0);
          if (other.destroyed) connections.delete(connection);
        });
  }

  const listener = createServer(join).unref();
  const listen = () => once(listener.listen(port, host), "listening");
  const reset = (): void => {
    for (const connection of connections) connection.reset();
  };
  const close = async (): Promise<void> => {
    const closed = once(listener, "close");
    listener.close();
    reset();
    await closed;
  };
  await listen();
  return {
    port,
    address: `${host}:${port}`,
    reset,
    async become(next) {
      condition = next;
      changed.resolve();
      changed = Promise.withResolvers();
      if (next.refuses && listener.listening) await close();
      if (!next.refuses && !listener.listening) await listen();
    },
    forget() {
      for (const connection of connections) connection.isForgotten = true;
    },
    hold: (bytes, nth = 1) =>
      new Promise((held) => {
        wanted = {
          bytes,
          left: nth,
          seen() {
            condition = { ...condition, holds: "requests" };
            held();
          },
        };
      }),
    holdAnswer: (bytes, nth) =>
      new Promise((held) => {
        wanted = {
          bytes,
          left: nth,
          seen(connection) {
            connection.held = held;
          },
        };
      }),
    cutAnswer: (bytes) =>
      new Promise((cut) => {
        wanted = {
          bytes,
          left: 1,
          seen(connection) {
            connection.cut = cut;
          },
        };
      }),
    async [Symbol.asyncDispose]() {
      if (listener.listening) await close();
    },
  };
}
