/** Bodies of requests over REST: nothing is taken of one before it is known who sends it and that they may, and one that does not come holds nothing. */
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { json as jsonOf } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callerLimits } from "../../../src/access/limits.ts";
import type { Authenticate } from "../../../src/ports/authenticate.ts";
import type { ObserveRequest } from "../../../src/ports/request-observer.ts";
import type { RestParts } from "../../../src/servers/rest/server.ts";
import { authenticateAs, grant, person } from "../../support/callers.ts";
import { collectInto } from "../../support/collecting.ts";
import { eventText, type HistoryWorld, openHistoryWorld } from "../../support/history-world.ts";
import { ask, restLimits, serveRest, type TestRest, unobserved } from "../../support/rest-client.ts";

const anna = person("anna", grant("producer"), grant("reader"));
const nobody = person("nobody");
const authenticate = authenticateAs(anna, nobody);
const authorization = anna.id;
const known = { headers: { authorization } };

let world: HistoryWorld;
let parts: RestParts;
beforeAll(async () => {
  world = await openHistoryWorld();
  parts = { query: world.deps, collect: collectInto(world) };
});
afterAll(async () => world[Symbol.asyncDispose]());

type Upload = Disposable & { readonly sent: ClientRequest; answer(): Promise<string> };
const bytes = 100_000;

/** All of a body but its last byte. `answer` is the status with the reason. */
function unfinished(rest: TestRest, headers: Record<string, string>, path = "/audit-logs"): Upload {
  const all = { "content-type": "application/json", "content-length": String(bytes), ...headers };
  const sent = request(`${rest.url}${path}`, { method: "POST", headers: all, agent: false });
  const answered = once(sent, "response");
  // Cut, or left, before it was answered.
  answered.catch(() => undefined);
  sent.write("x".repeat(bytes - 1));
  sent.on("error", () => undefined);
  return {
    sent,
    async answer() {
      const [response] = (await answered) as [IncomingMessage];
      const { reason } = (await jsonOf(response)) as { readonly reason: string };
      return `${response.statusCode} ${reason}`;
    },
    [Symbol.dispose]: () => void sent.destroy(),
  };
}

const publish = async (rest: TestRest): Promise<number> => {
  const headers = { authorization, "content-type": "application/json" };
  return (await ask(`${rest.url}/audit-logs`, { method: "POST", headers, body: eventText({}) })).status;
};

const statusOfGet = async (rest: TestRest): Promise<number> =>
  (await ask(`${rest.url}/audit-logs`, known)).status;

async function answersAgain(rest: TestRest): Promise<void> {
  while ((await statusOfGet(rest)) !== 200);
}

test("R-25 strangers are refused at the headers: more unfinished bodies than there are places keep nobody out", async () => {
  const limits = { ...restLimits, requestsMax: 2 };
  await using rest = await serveRest(parts, { limits, authenticate });
  using all = new DisposableStack();
  for (let n = 0; n < 5; n++)
    expect(await all.use(unfinished(rest, {})).answer()).toBe("401 UNAUTHENTICATED");
  expect(await publish(rest)).toBe(202);
});

describe("without the body is answered", () => {
  test.each([
    ["who may not send it", { authorization: nobody.id }, "/audit-logs", "403 PERMISSION_DENIED"],
    ["what is asked wrongly", { authorization }, "/audit-logs?wait=soon", "400 INVALID_ARGUMENT"],
    ["another type", { authorization, "content-type": "text/plain" }, "/audit-logs", "415 INVALID_ARGUMENT"],
    ["a body that will be too long", { authorization, "content-length": "1048577" }, "/audit-logs", "413 INVALID_ARGUMENT"],
    ["a path that is not there", {}, "/nowhere", "404 NOT_FOUND"],
  ] as const)("%s", async (_what, headers, path, answer) => {
    await using rest = await serveRest(parts, { authenticate });
    using upload = unfinished(rest, headers, path);
    expect(await upload.answer()).toBe(answer);
  }); // biome-ignore format: a table
});

describe("a body that does not come", () => {
  /** One place, for the process and for the caller. */
  const places = { ...restLimits, requestsMax: 1 };
  const onePlace = (): RestParts => {
    const limits = callerLimits({ rateMax: 10_000, burstMax: 10_000, concurrentMax: 1 }, () =>
      performance.now(),
    );
    return { ...parts, query: { ...parts.query, guard: { ...parts.query.guard, limits } } };
  };

  test("is refused at the deadline, and holds nothing any more", async () => {
    const limits = { ...places, deadlineMsMax: 200 };
    await using rest = await serveRest(onePlace(), { limits, authenticate });
    using upload = unfinished(rest, { authorization });
    const [response] = (await once(upload.sent, "response")) as [IncomingMessage];
    expect(response.headers.connection).toBe("close");
    expect(await upload.answer()).toBe("408 INVALID_ARGUMENT");
    await answersAgain(rest);
    expect(rest.logged).toEqual([]);
  });

  test("gives everything back when its client leaves", async () => {
    const ended: number[] = [];
    const observeRequest: ObserveRequest = (asked) => {
      const end = (status: number): void => void ended.push(status);
      return asked.method === "POST" ? { ...unobserved(asked), end } : unobserved(asked);
    };
    const { promise: arrived, resolve: arrives } = Promise.withResolvers<void>();
    const noticing: Authenticate = (credentials, signal) => {
      arrives();
      return authenticate(credentials, signal);
    };
    const options = { limits: places, authenticate: noticing, observeRequest };
    await using rest = await serveRest(onePlace(), options);
    using upload = unfinished(rest, { authorization });
    await arrived;
    expect(await statusOfGet(rest)).toBe(429);
    upload.sent.destroy();
    await answersAgain(rest);
    expect(ended).toEqual([499]);
    expect(rest.logged).toEqual([]);
  });
});

test("of a body that turns out too long the rest is thrown away, and its connection goes on", async () => {
  await using rest = await serveRest(parts, { limits: { ...restLimits, bodyBytesMax: 1_000 }, authenticate });
  const [host = "", port = ""] = rest.address.split(":");
  const socket = connect(Number(port), host).setEncoding("utf8");
  const head = `host: x\r\nauthorization: ${authorization}\r\n`;
  const chunk = `${(600).toString(16)}\r\n${"x".repeat(600)}\r\n`;
  socket.write(`POST /api/v1/audit-logs HTTP/1.1\r\n${head}content-type: application/json\r\n`);
  socket.write(`transfer-encoding: chunked\r\n\r\n${chunk}${chunk}`);
  const [refused] = await once(socket, "data");
  expect(refused).toMatch(/^HTTP\/1.1 413 /);
  socket.write(`${chunk.repeat(1_000)}0\r\n\r\nGET /api/v1/audit-logs HTTP/1.1\r\n${head}\r\n`);
  const [answered] = await once(socket, "data");
  expect(answered).toMatch(/^HTTP\/1.1 200 /);
  socket.destroy();
});

test("a body arrives whole, however small its pieces are", async () => {
  await using rest = await serveRest(parts, { authenticate });
  const headers = { authorization, "content-type": "application/json" };
  const sent = request(`${rest.url}/audit-logs`, { method: "POST", headers });
  for (const byte of Buffer.from(eventText({ payload: { public_id: "in-pieces" } })))
    sent.write(Buffer.of(byte));
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.resume();
  expect(response.statusCode).toBe(202);
});
