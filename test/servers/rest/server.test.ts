/** The REST server: methods, limits, and what is refused before a route is asked. */

import { once } from "node:events";
import { Agent, type IncomingMessage, METHODS, request } from "node:http";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { callerLimits } from "../../../src/access/limits.ts";
import { LastroError } from "../../../src/core/errors.ts";
import type { Authenticate, Credentials } from "../../../src/ports/authenticate.ts";
import { grant, person } from "../../support/callers.ts";
import { collectInto } from "../../support/collecting.ts";
import { type HistoryWorld, worldSrc } from "../../support/history-world.ts";
import { ask, json, refusal, restLimits, serveRest, type TestRest } from "../../support/rest-client.ts";
import { openRestWorld, type RestWorld } from "../../support/rest-world.ts";

let served: RestWorld;
let world: HistoryWorld;
let rest: TestRest;
let found: RestWorld["found"];
beforeAll(async () => {
  served = await openRestWorld();
  ({ world, rest, found } = served);
}, 60_000);
afterAll(async () => served?.[Symbol.asyncDispose]());

describe("R-62 methods", () => {
  type Answer = { readonly status: number; readonly allow: string | undefined; readonly text: string };
  /** By Node's own client: fetch refuses some methods. */
  async function send(url: string, method: string, body = ""): Promise<Answer> {
    const asked = request(url, { method, headers: { "content-length": body.length }, agent }).end(body);
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const { statusCode = 0, headers } = response;
    return { status: statusCode, allow: headers.allow, text: await text(response) };
  }
  const agent = new Agent({ keepAlive: true });
  afterAll(() => agent.destroy());

  test("one that a path does not have is answered with 405 and those it has, whoever asks", async () => {
    const authenticate = () => Promise.reject(new LastroError("UNAUTHENTICATED", "nobody known"));
    await using closed = await serveRest(
      { query: world.deps, collect: collectInto(world) },
      { authenticate },
    );
    const { paths } = await json(`${closed.url}/openapi.json`);
    paths["/api/v1/openapi.json"] = { get: {} };
    for (const [path, operations] of Object.entries<object>(paths)) {
      const url = new URL(path.replaceAll(/\{\w+\}/g, "x"), closed.url).href;
      const has = Object.keys(operations).flatMap((name) => (name === "get" ? ["GET", "HEAD"] : ["POST"]));
      for (const method of METHODS.filter((one) => one !== "CONNECT" && !has.includes(one))) {
        const { status, allow, text } = await send(url, method, "not what a body may be");
        const { reason } = JSON.parse(text);
        expect([path, method, status, reason, allow?.split(", ").sort()]).toEqual([
          path, method, 405, "INVALID_ARGUMENT", has.sort(),
        ]); // biome-ignore format: two lines
      }
      expect((await send(url, "HEAD")).status).toBe(path.endsWith("openapi.json") ? 200 : 401);
    }
    expect(closed.logged).toEqual([]);
  });

  test("HEAD is answered as GET, without the body", async () => {
    for (const path of ["/audit-logs", "/log/checkpoint", "/audit-logs/export"]) {
      const [head, get] = [
        await ask(`${rest.url}${path}`, { method: "HEAD" }),
        await ask(`${rest.url}${path}`),
      ];
      expect([path, head.status, head.text]).toEqual([path, get.status, ""]);
      for (const name of ["content-type", "content-length", "content-disposition", "cache-control"])
        expect([path, name, head.headers.get(name)]).toEqual([path, name, get.headers.get(name)]);
    }
  });

  test("where there is no path, each of them is told so", async () => {
    for (const method of ["PUT", "DELETE", "PROPFIND"])
      expect((await send(`${rest.url}/nowhere`, method)).status).toBe(404);
    expect(await refusal(`${rest.url}/nowhere`, { method: "QUERY" })).toBe("415 INVALID_ARGUMENT");
    expect(rest.logged).toEqual([]);
  });
});

test("it listens on an IPv6 address and names it as clients write it", async () => {
  const parts = { query: world.deps, collect: collectInto(world) };
  await using there = await serveRest(parts, { address: { host: "::1", port: 0 } });
  expect(there.address).toMatch(/^\[::1\]:\d+$/);
  expect((await ask(`${there.url}/openapi.json`)).status).toBe(200);
  const taken = serveRest(parts, { address: { host: "::1", port: Number(there.address.split("]:")[1]) } });
  await expect(taken).rejects.toThrow(`REST cannot listen on ${there.address};`);
});

describe("limits", () => {
  const never = (): typeof world.deps => ({
    ...world.deps,
    history: { ...world.deps.history, search: () => new Promise<never>(() => undefined) },
  });

  test("a request is answered at its deadline, though nobody hears of it inside", async () => {
    const limits = { ...restLimits, deadlineMsMax: 100 };
    await using slow = await serveRest({ query: never(), collect: collectInto(world) }, { limits });
    expect(await refusal(`${slow.url}/audit-logs`)).toBe("504 DEADLINE_EXCEEDED");
  });

  test("more requests at once than are allowed are sent away, and room is made by those that end or go", async () => {
    const limits = { ...restLimits, requestsMax: 1 };
    await using busy = await serveRest({ query: never(), collect: collectInto(world) }, { limits });
    const gone = new AbortController();
    const first = ask(`${busy.url}/audit-logs`, { signal: gone.signal }).catch(() => "gone");
    const other = `${busy.url}/ownerships`;
    for (let answer = ""; answer !== "429 LIMIT_REACHED"; ) {
      const { status } = await ask(other);
      if (status === 429) answer = await refusal(other);
    }
    gone.abort();
    expect(await first).toBe("gone");
    for (let status = 429; status !== 200; ) status = (await ask(other)).status;
  });

  test("a client that leaves while it is found out who it is takes no room from its caller", async () => {
    const anna = person("anna", grant("reader"));
    const limits = callerLimits({ rateMax: 1_000, burstMax: 1_000, concurrentMax: 1 }, () => 0);
    const query = { ...world.deps, guard: { ...world.deps.guard, limits } };
    const [asked, left, known] = [1, 2, 3].map(() => Promise.withResolvers<void>());
    let first = true;
    const authenticate: Authenticate = async (_, signal) => {
      if (first) {
        first = false;
        signal.addEventListener("abort", () => left?.resolve());
        asked?.resolve();
        await known?.promise;
      }
      return anna;
    };
    await using server = await serveRest({ query, collect: collectInto(world) }, { authenticate });
    const gone = new AbortController();
    const leaving = ask(`${server.url}/audit-logs`, { signal: gone.signal }).catch(() => "gone");
    await asked?.promise;
    gone.abort();
    expect(await leaving).toBe("gone");
    await left?.promise;
    known?.resolve();
    expect((await ask(`${server.url}/audit-logs`)).status).toBe(200);
  });

  test("who asks is found out before anything else, by what the request carries", async () => {
    const seen: Credentials[] = [];
    const authenticate = async (credentials: Credentials): Promise<never> => {
      seen.push(credentials);
      throw new LastroError("KEY_UNAVAILABLE", "the issuer is away");
    };
    await using closed = await serveRest({ query: never(), collect: collectInto(world) }, { authenticate });
    const headers = { authorization: "Bearer x", "x-m2m-service": "billing" };
    expect(await refusal(`${closed.url}/audit-logs?x=1`, { headers })).toBe("503 KEY_UNAVAILABLE");
    expect(seen).toEqual([{ authorization: "Bearer x", m2mService: "billing", certificateNames: undefined }]);
  });

  test("what fails unexpectedly says nothing of the inside, and is logged", async () => {
    const query = {
      ...world.deps,
      history: { ...world.deps.history, byRid: () => Promise.reject(new Error("secret")) },
    };
    await using failing = await serveRest({ query, collect: collectInto(world) });
    const { status, text } = await ask(`${failing.url}/audit-logs/${worldSrc}.1`);
    expect([status, text.includes("secret"), failing.logged]).toEqual([500, false, ["rest_failed"]]);
  });

  test("garbage, a URL that is too long and a path that does not decode are refused, and the server lives", async () => {
    const [host = "", port = ""] = rest.address.split(":");
    const socket = connectTcp(Number(port), host).resume();
    socket.write("\x16\x03\x01 garbage\r\n\r\n");
    await once(socket, "close");
    expect(await refusal(`${rest.url}/audit-logs?user_id=${"x".repeat(33_000)}`)).toBe(
      "431 INVALID_ARGUMENT",
    );
    expect(await refusal(`${rest.url}/audit-logs/%zz`)).toBe("400 INVALID_ARGUMENT");
    expect(await refusal(`${rest.url}/nowhere`)).toBe("404 NOT_FOUND");
    expect(await found("/audit-logs?user_id=bob")).toEqual(["auth.login 8"]);
  });
});
