import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { endUnlessOpen, endWhenSilent } from "../../../src/adapters/kafkajs/silence.ts";

const limits = { silenceMsMax: 500, lookMs: 10 };
/** Answers each `?`, and nothing else. */
const server = createServer((socket) => {
  socket.on("error", () => undefined).on("data", (data) => data.includes("?") && socket.write("!"));
});
const sockets: Socket[] = [];
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function open(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  endWhenSilent(socket, limits);
  return socket;
}

test("a connection on which something is asked and nothing heard ends with an error", async () => {
  const socket = await open();
  socket.write("?");
  await once(socket, "data");
  socket.write("and then");
  await expect(once(socket, "close")).rejects.toThrow("answers nothing");
});

test("neither one that is answered nor one on which nothing is asked ends", async () => {
  const [idle, answered] = [await open(), await open()];
  const dead = await open();
  dead.write("nothing");
  const asking = setInterval(() => answered.write("?"), limits.lookMs);
  await expect(once(dead, "close")).rejects.toThrow("answers nothing");
  clearInterval(asking);
  expect([idle.destroyed, answered.destroyed]).toEqual([false, false]);
});

test("one whose other end never shakes hands is let go, though whoever asked for it has long ended it", async () => {
  const begun = once(server, "connection");
  const socket = connectTls((server.address() as AddressInfo).port, "127.0.0.1");
  sockets.push(socket);
  endUnlessOpen(socket, limits.silenceMsMax);
  const [other] = (await begun) as [Socket];
  // It does not end its side when the other has.
  other.pause();
  socket.end();
  await once(socket, "close");
});

test("one that opens in time stays", async () => {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  sockets.push(socket);
  endUnlessOpen(socket, limits.lookMs);
  await once(socket, "connect");
  const late = await open();
  late.write("nothing");
  await expect(once(late, "close")).rejects.toThrow("answers nothing");
  expect(socket.destroyed).toBe(false);
});
