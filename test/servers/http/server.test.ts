import { expect, test } from "@jest/globals";
import { type Readiness, startHttpServer } from "../../../src/servers/http/server.ts";
import { silentObserver } from "../../support/intake.ts";
import { noTiles } from "../../support/no-log.ts";

const ok = { ok: true, required: true };

async function serve(readiness: () => Promise<Readiness>) {
  const server = await startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    metrics: (_request, response) => response.end("lastro_events_total 1\n"),
    readiness,
    observer: silentObserver,
    tiles: noTiles,
  });
  const get = (path: string, init?: RequestInit) =>
    fetch(`http://127.0.0.1:${server.address.port}${path}`, init);
  return { server, get };
}

test("the service is ready while every part it needs is", async () => {
  let parts: Readiness = { store: ok, kafka: ok, redis: { ok: true, required: false } };
  const { server, get } = await serve(async () => parts);
  await using _ = server;
  const ready = await get("/readyz");
  expect([ready.status, await ready.json()]).toEqual([200, { status: "ok", parts }]);

  parts = { ...parts, redis: { ok: false, required: false, detail: "no answer" } };
  const degraded = await get("/readyz");
  expect([degraded.status, await degraded.json()]).toEqual([200, { status: "degraded", parts }]);

  parts = { ...parts, store: { ok: false, required: true, detail: "no answer" } };
  const unready = await get("/readyz");
  expect([unready.status, await unready.json()]).toEqual([503, { status: "unavailable", parts }]);
});

test("a check that fails says so without saying why to strangers", async () => {
  const { server, get } = await serve(async () => {
    throw new Error("password hunter2");
  });
  await using _ = server;
  const answer = await get("/readyz");
  expect(answer.status).toBe(503);
  expect(await answer.text()).not.toContain("hunter2");
});

test("liveness asks nobody", async () => {
  let asked = 0;
  const { server, get } = await serve(async () => {
    asked += 1;
    return {};
  });
  await using _ = server;
  expect((await get("/livez")).status).toBe(200);
  expect(asked).toBe(0);
});

test("R-11 metrics come in Prometheus' text form", async () => {
  const { server, get } = await serve(async () => ({}));
  await using _ = server;
  expect(await (await get("/metrics")).text()).toContain("lastro_events_total 1");
});

test.each(["/", "/records", "/metrics/x", "/readyz/../etc/passwd"])(
  "nothing is served at %s",
  async (path) => {
    const { server, get } = await serve(async () => ({}));
    await using _ = server;
    expect((await get(path)).status).toBe(404);
    expect((await get("/livez", { method: "POST", body: "x" })).status).toBeGreaterThanOrEqual(400);
  },
);
