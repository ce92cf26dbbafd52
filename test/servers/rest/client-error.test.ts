/** What Node's parser refuses is answered as a problem on the connection, which ends; an answer that has begun is cut. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { refuseConnection } from "../../../src/servers/rest/client-error.ts";

let server: Server | undefined;
afterEach(() => void server?.close());

/** All that comes until the connection ends, to what is sent at once and what is sent `then`, on the first piece of an answer. */
async function sent(text: string, answer: RequestListener = () => undefined, then = ""): Promise<string> {
  server = createServer({ headersTimeout: 60, requestTimeout: 60, connectionsCheckingInterval: 20 }, answer);
  server.on("clientError", refuseConnection).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8");
  let got = "";
  socket.on("data", (piece: string) => {
    got += piece;
  });
  // A connection that is cut while it sends may say so.
  socket.on("error", () => undefined).once("data", () => socket.write(then));
  socket.write(text);
  await once(socket, "close");
  return got;
}

const chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";

test.each([
  ["garbage", "\x16\x03\x01 garbage\r\n\r\n", 400],
  ["a method that HTTP does not have", "FETCH / HTTP/1.1\r\nhost: x\r\n\r\n", 400],
  ["a URL that is too long", `GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
  ["headers that are too long", `GET / HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ["chunk extensions that are too long", `${chunked}1;${"x".repeat(20_000)}\r\n`, 413],
  ["a head that does not end", "GET / HTTP/1.1\r\n", 408],
  ["a body that does not come", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n", 408],
])("%s is answered with a problem", async (_what, text, status) => {
  const [head = "", body = ""] = (await sent(text)).split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z]`));
  expect(head).toContain("\r\nconnection: close\r\n");
  expect(head).toContain("\r\ncontent-type: application/problem+json; charset=utf-8\r\n");
  expect(head).toContain(`\r\ncontent-length: ${body.length}`);
  expect(JSON.parse(body)).toMatchObject({ type: "about:blank", status, reason: "INVALID_ARGUMENT" });
});

test("nothing is written into an answer that has begun", async () => {
  const begin: RequestListener = (_request, response) => void response.writeHead(200).write("begun");
  const got = await sent("GET / HTTP/1.1\r\nhost: x\r\n\r\n", begin, "garbage\r\n\r\n");
  expect(got).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(got).toContain("begun");
  expect(got).not.toContain("problem");
});
