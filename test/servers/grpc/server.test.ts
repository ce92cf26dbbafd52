import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { gzipSync } from "node:zlib";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { errorCodes, LastroError } from "../../../src/core/errors.ts";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService } from "../../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../../src/gen/lastro/v1/ownership_pb.ts";
import { grpcStatus, statusDetailsKey } from "../../../src/servers/grpc/errors.ts";
import { call, callRaw, connect, failureOf, serve, type TestServer } from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "../../support/history-world.ts";
import { until } from "../../support/until.ts";

const getRecord = "/lastro.v1.HistoryService/GetRecord";
const byRid = { by: { case: "rid", value: `${worldSrc}.0` } } as const;
const mib = 1024 * 1024;

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
let port: number;
beforeAll(async () => {
  world = await openHistoryWorld();
  await world.publish({ type: "account.created" });
  server = await serve(world.deps);
  client = connect(server.address);
  port = Number(server.address.split(":")[1]);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
const isAlive = async (): Promise<boolean> =>
  (await call(client, HistoryService, "getRecord", byRid)).record?.version === 1n;

test("it listens on an IPv6 address and names it as clients write it", async () => {
  const other = await serve(world.deps, undefined, { host: "::1" });
  try {
    expect(other.address).toMatch(/^\[::1\]:\d+$/);
    using there = connect(other.address);
    expect((await call(there, HistoryService, "getRecord", byRid)).record?.version).toBe(1n);
    const taken = serve(world.deps, undefined, { host: "::1", port: Number(other.address.split("]:")[1]) });
    await expect(taken).rejects.toThrow(`gRPC cannot listen on ${other.address};`);
  } finally {
    await other[Symbol.asyncDispose]();
  }
});

/** One request written by hand: what no well-behaved client sends. */
async function rawRequest(
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<Record<string, unknown>> {
  const session = connectHttp2(`http://${server.address}`);
  session.on("error", () => {});
  try {
    const stream = session.request({
      ":method": "POST",
      "content-type": "application/grpc",
      te: "trailers",
      ":path": getRecord,
      ...headers,
    });
    const answer: Record<string, unknown> = {};
    stream.on("response", (received) => Object.assign(answer, received));
    stream.on("trailers", (received) => Object.assign(answer, received));
    stream.on("error", (error) => Object.assign(answer, { error: String(error) }));
    stream.resume();
    stream.end(body);
    await once(stream, "close");
    return answer;
  } finally {
    session.destroy();
  }
}
const frame = (bytes: Uint8Array, compressed = 0): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

describe("hostile input", () => {
  test("a message above 4 MiB is refused, and so is one that grows to it", async () => {
    expect((await failureOf(callRaw(client, getRecord, new Uint8Array(4 * mib + 1)))).code).toBe(
      status.RESOURCE_EXHAUSTED,
    );
    const bomb = gzipSync(new Uint8Array(256 * mib));
    const rssBefore = process.memoryUsage().rss;
    const answer = await rawRequest({ "grpc-encoding": "gzip" }, frame(bomb, 1));
    expect(answer["grpc-status"]).toBe(String(status.RESOURCE_EXHAUSTED));
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(128 * mib);
    expect(await isAlive()).toBe(true);
  });

  test.each([
    ["1000H", [status.OK, status.DEADLINE_EXCEEDED]],
    ["0n", [status.OK, status.DEADLINE_EXCEEDED]],
    ["-1S", [status.OK, status.INTERNAL]],
    ["9x", [status.INTERNAL]],
    ["99999999999S", [status.OK, status.DEADLINE_EXCEEDED, status.INTERNAL]],
  ])("grpc-timeout %s is answered and the process lives", async (timeout, codes) => {
    const answer = await rawRequest({ "grpc-timeout": timeout }, frame(new Uint8Array()));
    const code = Number(answer["grpc-status"]);
    // An empty request has no rid; it got through to the handler.
    expect([...codes, status.INVALID_ARGUMENT].includes(code)).toBe(true);
    expect(timeout === "9x" ? code : status.INTERNAL).toBe(status.INTERNAL);
    expect(await isAlive()).toBe(true);
  });

  test("an unknown method, a wrong content type and HTTP/1.1 are turned away", async () => {
    expect(
      (await failureOf(callRaw(client, "/lastro.v1.HistoryService/DropAll", new Uint8Array()))).code,
    ).toBe(status.UNIMPLEMENTED);
    expect((await rawRequest({ "content-type": "text/plain" }, frame(new Uint8Array())))[":status"]).toBe(
      415,
    );
    const http1 = connectTcp(port, "127.0.0.1");
    http1.on("error", () => {});
    http1.end("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    http1.resume();
    await once(http1, "close");
    expect(await isAlive()).toBe(true);
  });

  test("garbage and a TLS handshake end the connection and nothing else", async () => {
    const garbage = connectTcp(port, "127.0.0.1");
    garbage.on("error", () => {});
    garbage.end(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 37) % 256)));
    garbage.resume();
    await once(garbage, "close");
    const tls = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(tls, "error");
    expect(await isAlive()).toBe(true);
  });

  test("metadata without end is refused", async () => {
    const big = new Metadata();
    big.set("x-big", "a".repeat(64 * 1024));
    await expect(callRaw(client, getRecord, new Uint8Array(), big)).rejects.toBeDefined();
    const many = new Metadata();
    for (let i = 0; i < 10_000; i++) many.set(`x-${i}`, "1");
    using other = connect(server.address);
    await expect(callRaw(other, getRecord, new Uint8Array(), many)).rejects.toBeDefined();
    expect(await isAlive()).toBe(true);
  });

  const tag = fc.integer({ min: 0, max: 255 });
  const field = fc.tuple(tag, fc.uint8Array({ maxLength: 20 })).map(([t, bytes]) => [t, ...bytes]);
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(field, { maxLength: 5 }).map((fields) => Uint8Array.from(fields.flat())),
    fc.constantFrom(Uint8Array.of(0x0a, 2, 0xff, 0xfe), Uint8Array.of(0), new Uint8Array(10_000).fill(0x0b)),
  );
  const { methods } = HistoryService;
  const pathsOf = (kind: (typeof methods)[number]["methodKind"]): readonly string[] =>
    methods
      .filter(({ methodKind }) => methodKind === kind)
      .map(({ name }) => `/${HistoryService.typeName}/${name}`);
  /** The first answer of a stream, which is then given up. */
  const firstOf = (over: Client, path: string, bytes: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const [write, read] = [(given: Uint8Array) => Buffer.from(given), (answer: Buffer) => answer];
      const stream = over.makeServerStreamRequest(path, write, read, bytes);
      stream.on("error", reject).on("data", (answer: Buffer) => {
        resolve(answer);
        stream.cancel();
      });
    });

  // A connection whose client gives up many streams at once is closed: streams get fewer.
  test.each([
    [10_000, "unary", callRaw],
    [50, "server_streaming", firstOf],
  ] as const)(
    "%i messages of noise to %s methods are answered with an error that has its details, or an answer",
    async (count, kind, ask) => {
      // Over a connection of its own, on which nothing was given up before.
      const local = { "grpc.use_local_subchannel_pool": 1 };
      const other = new Client(server.address, credentials.createInsecure(), local);
      const paths = pathsOf(kind);
      const samples = fc.sample(noise, count);
      for (let at = 0; at < samples.length; at += 100) {
        const batch = samples.slice(at, at + 100).map(async (bytes, i) => {
          const path = paths[i % paths.length] ?? "";
          const outcome = await ask(other, path, bytes).catch((error: unknown) =>
            failureOf(Promise.reject(error)),
          );
          if (outcome instanceof Uint8Array) return;
          expect({ bytes, ...outcome }).toMatchObject({
            reason: expect.stringMatching(/^[A-Z_]+$/),
            domain: "lastro",
          });
          expect({ bytes, code: outcome.code }).not.toEqual({ bytes, code: status.INTERNAL });
        });
        await Promise.all(batch);
      }
      other.close();
      expect(server.logged).toEqual([]);
      expect(await isAlive()).toBe(true);
    },
    60_000,
  );
});

describe("deadlines", () => {
  const waitMsMax = 10_000;
  test("the caller's deadline reaches the store as an abort", async () => {
    let given: AbortSignal | undefined;
    const slow = {
      ...world.deps.history,
      byRid: (_: unknown, signal: AbortSignal) => {
        given = signal;
        return new Promise<never>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      },
    };
    await using other = await serve({ ...world.deps, history: slow });
    using caller = connect(other.address);
    // On a busy machine the deadline may come before the store is reached: then the next one is later.
    for (let waitMs = 300; given === undefined && waitMs < waitMsMax; waitMs *= 2) {
      const deadline = Date.now() + waitMs;
      const { code } = await failureOf(call(caller, HistoryService, "getRecord", byRid, { deadline }));
      expect(code).toBe(status.DEADLINE_EXCEEDED);
    }
    await until("the store is told", () => given?.aborted === true);
    expect(other.logged).toEqual([]);
  });

  test("without one the server's own deadline ends the call, even of a handler that hangs", async () => {
    const hanging = { ...world.deps.history, byRid: () => new Promise<never>(() => {}) };
    await using other = await serve({ ...world.deps, history: hanging }, undefined, {
      limits: { deadlineMsMax: 100, connectionAgeGraceMs: 100 },
    });
    using caller = connect(other.address);
    const failure = await failureOf(call(caller, HistoryService, "getRecord", byRid));
    expect(failure).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      reason: "DEADLINE_EXCEEDED",
      domain: "lastro",
    });
  });
});

describe("health", () => {
  const check = async (caller: Client, service: string): Promise<number | undefined> => {
    const name = Buffer.from(service);
    const request = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    return (await callRaw(caller, "/grpc.health.v1.Health/Check", request))[1];
  };
  const [serving, notServing] = [1, 2];

  test("follows whether the service can answer, for the server and each service", async () => {
    const names = [
      "",
      "lastro.v1.HistoryService",
      "lastro.v1.OwnershipService",
      "lastro.v1.OperationsService",
    ];
    for (const name of names) expect(await check(client, name)).toBe(serving);
    server.setServing(false);
    for (const name of names) expect(await check(client, name)).toBe(notServing);
    server.setServing(true);
    expect((await failureOf(check(client, "other"))).code).toBe(status.NOT_FOUND);
  });

  test("drain lets a running call finish and takes no new one", async () => {
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    let entries = 0;
    const held = {
      ...world.deps.history,
      byRid: async (...args: Parameters<typeof world.deps.history.byRid>) => {
        entries += 1;
        entered.resolve();
        await gate.promise;
        return world.deps.history.byRid(...args);
      },
    };
    const other = await serve({ ...world.deps, history: held });
    using caller = connect(other.address);
    const running = call(caller, HistoryService, "getRecord", byRid);
    await entered.promise;
    const drained = other.drain(10_000);
    other.setServing(true);
    using late = connect(other.address);
    const refused = failureOf(
      call(late, HistoryService, "getRecord", byRid, { deadline: Date.now() + 2000 }),
    );
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED].includes((await refused).code)).toBe(true);
    expect(entries).toBe(1);
    gate.resolve();
    expect((await running).record?.version).toBe(1n);
    await drained;
  });

  test("drain tells what outlasts its grace that the server ends", async () => {
    const hanging = { ...world.deps.history, byRid: () => new Promise<never>(() => {}) };
    const other = await serve({ ...world.deps, history: hanging });
    using caller = connect(other.address);
    const running = failureOf(call(caller, HistoryService, "getRecord", byRid));
    await expect(call(caller, HistoryService, "getRecord", {})).rejects.toBeDefined();
    await other.drain(1_000);
    expect(await running).toMatchObject({ code: status.UNAVAILABLE, reason: "SHUTTING_DOWN" });
  });

  test("drain cuts a call whose request does not end", async () => {
    const other = await serve(world.deps);
    const session = connectHttp2(`http://${other.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": `/${HistoryService.typeName}/GetRecord`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const closed = new Promise((resolve) => stream.on("close", resolve));
    stream.on("error", () => {});
    session.on("error", () => {});
    stream.write(Buffer.from([0, 0, 0, 0, 9]));
    // Answered once the server has what came before.
    await new Promise((resolve) => session.once("connect", () => session.ping(resolve)));
    await other.drain(50);
    await closed;
  });
});

describe("reflection", () => {
  // ServerReflectionRequest { file_containing_symbol = 4 }
  const symbol = Buffer.from("lastro.v1.HistoryService");
  const request = Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]);
  const reflect = async (caller: Client): Promise<string> => {
    const write = (bytes: Buffer): Buffer => bytes;
    const stream = caller.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      write,
      write,
    );
    stream.write(request);
    stream.end();
    const [answer] = await once(stream, "data");
    return Buffer.from(answer).toString("latin1");
  };

  test("describes the services when it is on, and is not there when it is off", async () => {
    expect(await reflect(client)).toMatch(/SearchRecords/);
    await using other = await serve(world.deps, undefined, { reflection: false });
    using caller = connect(other.address);
    await expect(reflect(caller)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

test("a port that is taken is told with what to do", async () => {
  await expect(serve(world.deps, undefined, { port })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/LASTRO_GRPC_ADDRESS/),
  });
});

test("docs/grpc.md names every method and every reason", () => {
  const page = readFileSync("docs/grpc.md", "utf8");
  const methods = [HistoryService, OwnershipService, OperationsService].flatMap(({ methods: all }) =>
    all.map(({ name }) => name),
  );
  for (const name of methods) expect(page).toContain(`\`${name}\``);
  for (const code of errorCodes) {
    const { code: answered, metadata } = grpcStatus(new LastroError(code, ""));
    if (answered !== status.INTERNAL) expect(page).toContain(`\`${code}\``);
    expect(metadata.get(statusDetailsKey)).toHaveLength(1);
  }
});
