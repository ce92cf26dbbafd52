/** A server that speaks the MongoDB wire protocol, acknowledges every write and stores nothing but the service's own small state. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { answerTo, type Command, commandOf, type Document, eachMessage } from "./wire-message.ts";
import { type KeptCollection, keptCollection } from "./wire-state.ts";

/** Marks, keys and what the store knows of itself: without them the service would not work. Anything else is forgotten. */
const keptNames = ["meta", "accounts", "keys", "ownerships"];
const host = "127.0.0.1";
const duplicateKeyCode = 11_000;

/** Hears of inserts in the moment in which they are acknowledged. */
export type OnInserted = (collection: string, count: number) => void;
export type WireServer = AsyncDisposable & { readonly address: string };

type Kept = ReadonlyMap<string, KeptCollection>;
type Answer = (command: Command, kept: Kept) => Document;

const cursor = ({ body, collection }: Command, firstBatch: readonly Document[] = []): Document => ({
  cursor: { id: 0n, ns: `${body["$db"]}.${collection}`, firstBatch },
});

function insert({ collection, items }: Command, kept: Kept): Document {
  const taken = kept.get(collection)?.insert(items) ?? [];
  if (taken.length === 0) return { n: items.length };
  const writeErrors = taken.map((index) => ({ index, code: duplicateKeyCode, errmsg: "duplicate key" }));
  return { n: items.length - taken.length, writeErrors };
}

function update({ collection, items }: Command, kept: Kept): Document {
  const { n, upserted } = kept.get(collection)?.update(items) ?? { n: items.length, upserted: [] };
  return { n, nModified: n - upserted.length, ...(upserted.length > 0 && { upserted }) };
}

function find(command: Command, kept: Kept): Document {
  const { filter = {}, sort = {}, limit } = command.body as Record<string, Document | undefined>;
  return cursor(command, kept.get(command.collection)?.find({ filter, sort, limit: Number(limit ?? 0) }));
}

const answers: Readonly<Record<string, Answer>> = {
  insert,
  update,
  find,
  delete: ({ items }) => ({ n: items.length }),
  aggregate: (command) => cursor(command),
  listIndexes: (command) => cursor(command),
  listCollections: (command) => cursor(command),
  findAndModify: () => ({ value: null }),
  buildInfo: () => ({ version: "7.0.0", versionArray: [7, 0, 0, 0], modules: [] }),
};

/** A replica set of one, as in production. */
const hello = (address: string): Document => ({
  helloOk: true,
  ismaster: true,
  isWritablePrimary: true,
  setName: "stub",
  setVersion: 1,
  secondary: false,
  hosts: [address],
  primary: address,
  me: address,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  localTime: new Date(),
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
});

export async function listening(serve: (socket: Socket) => void): Promise<WireServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    serve(socket);
  }).listen(0, host);
  await once(server, "listening");
  return {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export async function startWireStub(onInserted: OnInserted): Promise<WireServer> {
  const kept = new Map(keptNames.map((name) => [name, keptCollection()]));
  const server = await listening((socket) => {
    eachMessage(socket, (message) => {
      const command = commandOf(message);
      const isHello = command.name.toLowerCase() === "ismaster" || command.name === "hello";
      const answer = isHello ? hello(server.address) : (answers[command.name]?.(command, kept) ?? {});
      socket.write(answerTo(message, { ...answer, ok: 1 }));
      if (command.name === "insert") onInserted(command.collection, command.items.length);
    });
  });
  return server;
}
