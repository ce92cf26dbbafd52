/** Readers over REST that take nothing: they are cut, and what they held is free again. */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callerLimits } from "../../../src/access/limits.ts";
import { parseServerTls } from "../../../src/adapters/files/server-tls.ts";
import { anyone } from "../../../src/core/caller.ts";
import type { ObserveRequest } from "../../../src/ports/request-observer.ts";
import { scanRowsMax } from "../../../src/query/search-page.ts";
import { buildRestServer } from "../../../src/servers/rest/server.ts";
import { grant, person } from "../../support/callers.ts";
import {
  type Certificate,
  type CertificateAuthority,
  loopbackSan,
  openAuthority,
} from "../../support/certificates.ts";
import { collectInto } from "../../support/collecting.ts";
import { type HistoryWorld, openHistoryWorld } from "../../support/history-world.ts";
import { silentLog, silentObserver } from "../../support/intake.ts";
import { ask, restLimits, serveRest, type TestRest, unobserved } from "../../support/rest-client.ts";
import { until } from "../../support/until.ts";

const exportPath = "/api/v1/audit-logs/export";
/** One is what a test is about, the other is longer than it lasts. */
const [soonMs, neverMs] = [1_000, 600_000];
const onlyDeadline = { ...restLimits, streamMsMax: soonMs, deadlineMsMax: soonMs, stallMsMax: neverMs };
const onlyStall = { ...restLimits, streamMsMax: neverMs, deadlineMsMax: neverMs, stallMsMax: soonMs };

let world: HistoryWorld;
let root: CertificateAuthority;
let own: Certificate;
beforeAll(async () => {
  world = await openHistoryWorld();
  const large = Array.from({ length: 4 }, () => "x".repeat(200_000));
  for (let n = 0; n < 4; n++) await world.publish({ payload: { public_id: `a-${n}`, large } });
  root = await openAuthority();
  own = await root.certify("lastro", { san: loopbackSan });
}, 60_000);
afterAll(async () => {
  root?.[Symbol.dispose]();
  await world?.[Symbol.asyncDispose]();
});

/** An export that never ends by itself, and what it asked the store. */
function endless() {
  const asked = { times: 0, signals: new Set<AbortSignal>() };
  const search: typeof world.deps.history.search = async (question, signal) => {
    asked.times += 1;
    asked.signals.add(signal);
    const some = await world.deps.history.search({ ...question, after: undefined, limit: 4 }, signal);
    return { ...some, scanned: scanRowsMax };
  };
  const query = { ...world.deps, history: { ...world.deps.history, search } };
  return { asked, parts: { query, collect: collectInto(world) } };
}

/** Asks on one connection, one request behind the other, and reads nothing of what is answered. */
function askWithoutReading(
  { address }: Pick<TestRest, "address">,
  paths: readonly string[],
  ca?: string,
): Socket & Disposable {
  const [host = "", port = ""] = address.split(":");
  const to = { host, port: Number(port) };
  const socket = ca === undefined ? connectTcp(to) : connectTls({ ...to, ca });
  socket.pause().on("error", () => undefined);
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join(""));
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() });
}

const waitMaxMs = 15_000;
/** Others are refused while all of that goes on, and answered once it is cut. */
async function answeredOnceCut(url: string, { signals }: ReturnType<typeof endless>["asked"]): Promise<void> {
  const running = [...signals];
  const untilMs = performance.now() + waitMaxMs;
  for (let isCut = false, isAnswered = false; !(isCut && isAnswered); await sleep(20)) {
    const { status } = await ask(url);
    isCut ||= running.some(({ aborted }) => aborted);
    isAnswered = status === 200;
    if (!isCut) expect(status).toBe(429);
    if (performance.now() > untilMs) throw new Error(`never ${isCut ? "answered again" : "cut"}`);
  }
  await until("the store is left alone", () => running.every(({ aborted }) => aborted));
}

describe.each([
  ["the deadline", onlyDeadline],
  ["the bound of what a reader may take nothing for", onlyStall],
])("%s", (_bound, limits) => {
  test("ends an export that nobody reads: others are answered again, and the store is left alone", async () => {
    const { asked, parts } = endless();
    await using rest = await serveRest(parts, { limits: { ...limits, requestsMax: 1 } });
    using _reader = askWithoutReading(rest, [exportPath]);
    await until("it has begun", () => asked.times > 0);
    await answeredOnceCut(`${rest.url}/ownerships`, asked);
  });

  test("gives the place back to the caller, too", async () => {
    const { asked, parts } = endless();
    const one = callerLimits({ rateMax: 10_000, burstMax: 10_000, concurrentMax: 1 }, () =>
      performance.now(),
    );
    const query = { ...parts.query, guard: { ...parts.query.guard, limits: one } };
    const authenticate = async () => person("anna", grant("auditor"));
    await using rest = await serveRest({ ...parts, query }, { limits, authenticate });
    using _reader = askWithoutReading(rest, [exportPath]);
    await until("it has begun", () => asked.times > 0);
    await answeredOnceCut(`${rest.url}/audit-logs?limit=1`, asked);
  });

  test("ends what stands behind it on the connection, which takes places as well", async () => {
    const { asked, parts } = endless();
    await using rest = await serveRest(parts, { limits: { ...limits, requestsMax: 3 } });
    using _reader = askWithoutReading(rest, [exportPath, "/api/v1/audit-logs", exportPath]);
    await until("all have begun", () => asked.signals.size === 3);
    await answeredOnceCut(`${rest.url}/ownerships`, asked);
  });

  test("holds over TLS", async () => {
    const tls = parseServerTls([own.cert, own.key], false, Date.now);
    const { asked, parts } = endless();
    let running = 0;
    const observeRequest: ObserveRequest = (request) => {
      running += 1;
      const end = (): void => {
        running -= 1;
      };
      return { ...unobserved(request), end };
    };
    const options = { limits, observeRequest, tls: { current: () => tls, onChange: () => undefined } };
    await using rest = await serveRest(parts, options);
    using _reader = askWithoutReading(rest, [exportPath], root.ca);
    await until("it has begun", () => asked.times > 0);
    await until("it has ended", () => running === 0);
  });
});

describe("who reads is not cut", () => {
  test("however slowly, as long as something leaves", async () => {
    const { asked, parts } = endless();
    await using rest = await serveRest(parts, { limits: onlyStall });
    using reader = askWithoutReading(rest, [exportPath]);
    await until("it has begun", () => asked.times > 0);
    const endMs = performance.now() + 3 * soonMs;
    while (performance.now() < endMs) {
      reader.resume();
      await once(reader, "data");
      reader.pause();
      await sleep(soonMs / 50);
    }
    expect([...asked.signals].map(({ aborted }) => aborted)).toEqual([false]);
  });

  test("where nothing is there to be read yet, or nothing was asked for", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let asked = 0;
    const search: typeof world.deps.history.search = async (question, signal) => {
      asked += 1;
      await promise;
      return world.deps.history.search(question, signal);
    };
    const query = { ...world.deps, history: { ...world.deps.history, search } };
    await using rest = await serveRest({ query, collect: collectInto(world) }, { limits: onlyStall });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const read = async (path: string): Promise<readonly [number | undefined, number, boolean]> => {
      const request = get(`${rest.url}${path}`, { agent });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const { length } = await text(response);
      return [response.statusCode, length, request.reusedSocket];
    };
    const late = read("/audit-logs?limit=2");
    await until("it was asked", () => asked > 0);
    await sleep(2 * soonMs);
    resolve();
    expect(await late).toEqual([200, expect.any(Number), false]);
    await sleep(2 * soonMs);
    expect(await read("/audit-logs?limit=2")).toEqual([200, expect.any(Number), true]);
    agent.destroy();
  });
});

test.each([
  ["page", "/api/v1/audit-logs?limit=4"],
  ["export", exportPath],
  ["export as CSV", `${exportPath}?format=csv`],
])(
  "a long %s leaves piece by piece: no more of it waits than tells whether its reader takes anything",
  async (_what, path) => {
    const { parts } = endless();
    const options = {
      address: { host: "127.0.0.1", port: 0 },
      authenticate: async () => anyone,
      observeRequest: unobserved,
      observer: silentObserver,
      storeLagMs: () => undefined,
      now: Date.now,
      log: silentLog,
      limits: onlyStall,
    };
    const server = await buildRestServer(options, parts);
    const address = (await server.listen(options.address)).slice("http://".length);
    const connected = once(server.server, "connection");
    // More than the network takes unread.
    using _reader = askWithoutReading(
      { address },
      Array.from({ length: 12 }, () => path),
    );
    const [socket] = (await connected) as [Socket];
    let mostWaiting = 0;
    while (!socket.destroyed) {
      mostWaiting = Math.max(mostWaiting, socket.writableLength);
      await sleep(10);
    }
    await server.close();
    expect(socket.bytesWritten).toBeGreaterThan(1_000_000);
    expect(mostWaiting).toBeGreaterThan(0);
    expect(mostWaiting).toBeLessThan(300_000);
  },
);
