/** What Lastro mends of the MongoDB driver while it runs. */
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { MongoNetworkError } from "mongodb";

type Written = {
  readonly socket: Socket;
  writeCommand(...args: unknown[]): Promise<void>;
};

const load = createRequire(import.meta.url);
const mended = new WeakSet<Written>();

/**
 * mongodb 7.8.0 waits for `drain` on a socket that was destroyed before it was written to, or while: for ever, since no timer of the socket runs
 * then. A heartbeat that is lost so leaves its server unknown until a restart. Every write ends with its socket instead.
 */
export function mendWrites(): void {
  const { prototype }: { prototype: Written } = load("mongodb/lib/cmap/connection.js").Connection;
  if (mended.has(prototype)) return;
  mended.add(prototype);
  const write = prototype.writeCommand;
  prototype.writeCommand = async function (this: Written, ...args) {
    const closed = Promise.withResolvers<never>();
    const onClose = (): void => closed.reject(new MongoNetworkError("the connection closed under a write"));
    if (this.socket.destroyed) onClose();
    this.socket.once("close", onClose);
    try {
      await Promise.race([write.apply(this, args), closed.promise]);
    } finally {
      this.socket.off("close", onClose);
    }
  };
}
