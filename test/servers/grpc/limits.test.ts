/** Limits of connections and calls, against clients that keep to none. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import { call, connect, noOperations, serve, type TestServer } from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "../../support/history-world.ts";

const mib = 1024 * 1024;
const byRid = { by: { case: "rid", value: `${worldSrc}.0` } } as const;
let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
beforeAll(async () => {
  world = await openHistoryWorld();
  await world.publish({ type: "account.created" });
  server = await serve(world.deps);
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const headers = {
  ":method": "POST",
  ":path": "/lastro.v1.HistoryService/GetRecord",
  "content-type": "application/grpc",
  te: "trailers",
};
function open(address: string): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`);
  session.on("error", () => {});
  return session;
}
const emptyMessage = Buffer.alloc(5);

/** The gRPC status of an empty request with these headers; a code of HTTP/2 where the stream was reset. */
async function statusWith(session: ClientHttp2Session, more: Record<string, string>): Promise<string> {
  const stream = session.request({ ...headers, ...more });
  let answer = "";
  const note = (received: Record<string, unknown>): void => {
    answer = `status ${received["grpc-status"] ?? answer}`;
  };
  stream.on("response", note);
  stream.on("trailers", note);
  stream.on("error", () => {});
  stream.resume();
  stream.end(emptyMessage);
  // `once` would reject with the reset, which is an answer here.
  await new Promise((resolve) => stream.on("close", resolve));
  return stream.rstCode === constants.NGHTTP2_NO_ERROR ? answer : `reset ${stream.rstCode}`;
}
const answered = `status ${status.INVALID_ARGUMENT}`;

test("metadata may be as large as the limit says and no larger, whatever it holds", async () => {
  const metadataBytesMax = 4_096;
  await using other = await serve(world.deps, noOperations, { limits: { metadataBytesMax } });
  const session = open(other.address);
  try {
    // Each header counts 32 bytes more than it holds (RFC 9113); what HTTP/2 itself sends is in it.
    expect(await statusWith(session, { "x-big": "a".repeat(metadataBytesMax - 1_024) })).toBe(answered);
    expect(await statusWith(session, { "x-big": "a".repeat(metadataBytesMax) })).toMatch(/^reset /);
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, "1"]));
    expect(await statusWith(session, many)).toMatch(/^reset /);
    expect(await statusWith(session, { "x-value": "caf\u00e9\u0001" })).toMatch(/^(?:status|reset) \d+$/);
    expect(await statusWith(session, { "x-bytes-bin": "***" })).toMatch(/^(?:status|reset) \d+$/);
    expect(await statusWith(session, {})).toBe(answered);
  } finally {
    session.destroy();
  }
});

const program = fileURLToPath(new URL("../../support/reset-flood.ts", import.meta.url));
/** Connections that it took a client of its own process to send so many resets. */
async function resetFlood(address: string, resets: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, address, String(resets)]);
  return Number(stdout);
}

test("a connection that resets its streams without end is closed, while one that resets few stays", async () => {
  await using other = await serve(world.deps, noOperations, { limits: { resetsBurstMax: 200 } });
  expect(await resetFlood(other.address, 10_000)).toBeGreaterThan(1);
  expect(await resetFlood(other.address, 100)).toBe(1);
  const patient = open(other.address);
  try {
    for (let i = 0; i < 100; i++) {
      const stream = patient.request(headers);
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    expect(await statusWith(patient, {})).toBe(answered);
  } finally {
    patient.destroy();
  }
});

test("during a flood of 100,000 resets over one connection after the other, others are answered, and memory stays bounded", async () => {
  // What is taken once, for garbage between two collections, is taken here: after it 500,000 more took less than 100 MiB.
  await resetFlood(server.address, 100_000);
  const rssBefore = process.memoryUsage().rss;
  let answers = 0;
  let connections: number | undefined;
  const flood = resetFlood(server.address, 100_000).then((count) => {
    connections = count;
  });
  while (connections === undefined) {
    await call(client, HistoryService, "getRecord", byRid);
    answers += 1;
  }
  expect(connections).toBeGreaterThan(5);
  await flood;
  expect(answers).toBeGreaterThan(5);
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(200 * mib);
  expect(server.logged).toEqual([]);
}, 120_000);

test.each([
  ["rests", { connectionIdleMsMax: 100 }],
  ["is old", { connectionAgeMsMax: 100, connectionAgeGraceMs: 100 }],
])("a connection that %s is closed by the server", async (_, limits) => {
  await using other = await serve(world.deps, noOperations, { limits });
  const session = open(other.address);
  try {
    await once(session, "connect");
    expect(await statusWith(session, {})).toBe(answered);
    await once(session, "close");
  } finally {
    session.destroy();
  }
});
