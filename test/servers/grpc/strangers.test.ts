/** What whoever comes may send over gRPC and hold: messages of health, names it is asked for, calls that never come whole. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { Client, compressionAlgorithms, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { HealthImplementation } from "grpc-health-check";
import {
  callRaw,
  connect,
  failureOf,
  noOperations,
  serve,
  type TestServer,
} from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../../support/history-world.ts";

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
beforeAll(async () => {
  world = await openHistoryWorld();
  server = await serve(world.deps);
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const health = "/grpc.health.v1.Health";
const getRecord = "/lastro.v1.HistoryService/GetRecord";
/** HealthCheckRequest { service = 1 }, whose length takes three bytes. */
const longName = (length: number): Uint8Array =>
  Buffer.concat([
    Buffer.of(0x0a, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14),
    Buffer.alloc(length, "x"),
  ]);

describe("health", () => {
  test("row 80: takes no more than a name, and nothing that grows to more; other methods do", async () => {
    for (const method of ["Check", "Watch"]) {
      const failed = failureOf(callRaw(client, `${health}/${method}`, longName(5_000)));
      expect((await failed).code).toBe(status.RESOURCE_EXHAUSTED);
    }
    const gzip = { "grpc.default_compression_algorithm": compressionAlgorithms.gzip };
    const squeezing = new Client(server.address, credentials.createInsecure(), gzip);
    const failed = failureOf(callRaw(squeezing, `${health}/Check`, longName(1_000_000)));
    expect((await failed).code).toBe(status.RESOURCE_EXHAUSTED);
    squeezing.close();
    expect((await failureOf(callRaw(client, getRecord, longName(5_000)))).code).toBe(status.INVALID_ARGUMENT);
  });

  test("keeps no name that is watched and not known", async () => {
    const inside = HealthImplementation.prototype as unknown as { addWatcher(name: string): void };
    const kept = jest.spyOn(inside, "addWatcher");
    const told: number[] = [];
    for (const name of ["a", "b", "lastro.v1.HistoryService"]) {
      const request = Buffer.concat([Buffer.of(0x0a, name.length), Buffer.from(name)]);
      const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
      const stream = client.makeServerStreamRequest(`${health}/Watch`, asIs, asIs, request, new Metadata());
      stream.on("error", () => undefined);
      const [answer] = (await once(stream, "data")) as [Buffer];
      told.push(answer[1] ?? 0);
      stream.cancel();
    }
    const [serving, serviceUnknown] = [1, 3];
    expect(told).toEqual([serviceUnknown, serviceUnknown, serving]);
    expect(kept.mock.calls.map(([name]) => name)).toEqual([
      "(unknown)",
      "(unknown)",
      "lastro.v1.HistoryService",
    ]);
    kept.mockRestore();
  });
});

test.each([
  ["without its message", getRecord, Buffer.alloc(0)],
  ["with half a message", getRecord, Buffer.of(0, 0, 0, 1, 0, 1)],
  ["with all but its end", getRecord, Buffer.alloc(5)],
  ["of health, with half a message", `${health}/Check`, Buffer.of(0, 0, 0, 1, 0, 1)],
])("a call %s ends at the longest deadline", async (_what, path, sent) => {
  await using other = await serve(world.deps, noOperations, { limits: { deadlineMsMax: 100 } });
  const session = connectHttp2(`http://${other.address}`);
  session.on("error", () => undefined);
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers, { endStream: false });
  stream.on("error", () => undefined);
  stream.write(sent);
  const [answer] = await once(stream, "response");
  expect(answer["grpc-status"]).toBe(String(status.DEADLINE_EXCEEDED));
  session.destroy();
});
