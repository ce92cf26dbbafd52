/** What is mended of the MongoDB driver: a write ends with its socket. */
import { once } from "node:events";
import { createRequire } from "node:module";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { mendWrites } from "../../../src/adapters/mongo/mend-driver.ts";

type Connection = {
  command(namespace: unknown, command: object, options: object): Promise<unknown>;
  destroy(): void;
};
const load = createRequire(import.meta.url);
const { Connection } = load("mongodb/lib/cmap/connection.js") as {
  readonly Connection: new (socket: Socket, options: object) => Connection;
};
const { ns } = load("mongodb/lib/utils.js") as { readonly ns: (name: string) => unknown };

mendWrites();
mendWrites();

/** To a server that reads nothing and says nothing. */
async function dial(): Promise<Disposable & { readonly socket: Socket; readonly connection: Connection }> {
  const server = createServer((peer) => peer.pause()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const connection = new Connection(socket, { id: 1, generation: 0, hostAddress: `127.0.0.1:${port}` });
  const end = (): void => {
    socket.destroy();
    server.close();
  };
  return { socket, connection, [Symbol.dispose]: end };
}
const send = ({ connection }: { readonly connection: Connection }, command: object) =>
  connection.command(ns("admin.$cmd"), command, { socketTimeoutMS: 1_000 });
const lost = expect.objectContaining({ name: "MongoNetworkError" });

test("a command on a connection whose socket was destroyed a moment before fails at once", async () => {
  using dialled = await dial();
  dialled.socket.destroy();
  await expect(send(dialled, { hello: 1 })).rejects.toEqual(lost);
});

test("a command that waits until the server reads on fails once its connection is closed", async () => {
  using dialled = await dial();
  const sent = send(dialled, { insert: "c", documents: [{ text: "x".repeat(15_000_000) }] });
  const failure = expect(sent).rejects.toEqual(lost);
  while (dialled.socket.bytesWritten === 0) await new Promise(setImmediate);
  dialled.connection.destroy();
  await failure;
});

test("writes leave no listener behind", async () => {
  using dialled = await dial();
  const before = dialled.socket.listenerCount("close");
  const sent = send(dialled, { hello: 1 });
  const failure = expect(sent).rejects.toEqual(lost);
  while (dialled.socket.bytesWritten === 0) await new Promise(setImmediate);
  expect(dialled.socket.listenerCount("close")).toBe(before);
  dialled.connection.destroy();
  await failure;
});
