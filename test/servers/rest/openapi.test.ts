/** The OpenAPI document is valid, is the one that is committed, and says what the server does: requests drawn from it, near it and beside it are answered as it allows. */
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Validator } from "@seriousme/openapi-schema-validator";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { anyone } from "../../../src/core/caller.ts";
import { errorCodes, LastroError } from "../../../src/core/errors.ts";
import { countedRowsMax } from "../../../src/query/count-records.ts";
import { lookedAtMax } from "../../../src/query/looked-at.ts";
import { problemOf } from "../../../src/servers/rest/problem.ts";
import { buildRestServer } from "../../../src/servers/rest/server.ts";
import { collectInto } from "../../support/collecting.ts";
import { type HistoryWorld, openHistoryWorld, ownership, worldSrc } from "../../support/history-world.ts";
import { silentLog, silentObserver } from "../../support/intake.ts";
import { type Drawn, judgeOf, type OpenApi, requestsOf } from "../../support/openapi.ts";
import { restLimits, unobserved } from "../../support/rest-client.ts";

const requests = Number(process.env["LASTRO_TEST_REST_REQUESTS"] ?? 1_500);
const seed = Number(process.env["LASTRO_TEST_SEED"] ?? Date.now() % 1_000_000_007);
const committedUrl = new URL("../../../docs/openapi.json", import.meta.url);

let world: HistoryWorld;
let server: FastifyInstance;
let document: OpenApi;
beforeAll(async () => {
  world = await openHistoryWorld();
  await world.publish(
    { type: "account.created", payload: { public_id: "a-1", name: "Ana" } },
    { type: "account.updated", payload: { public_id: "a-1", name: "Ana B", n: 1 } },
    { type: "auth.login_failed", payload: {}, metadata: { user_id: "eve", event_id: "e-1" } },
    { type: "report.exported", payload: { id: 7 }, producer: "billing", metadata: { status: "PENDING" } },
  );
  server = await buildRestServer(
    {
      address: { host: "127.0.0.1", port: 0 },
      authenticate: async () => anyone,
      observeRequest: unobserved,
      observer: silentObserver,
      storeLagMs: () => 0,
      now: Date.now,
      log: silentLog,
      limits: restLimits,
    },
    { query: world.deps, collect: collectInto(world) },
  );
  document = (await server.inject("/api/v1/openapi.json")).json();
});
afterAll(async () => {
  await server?.close();
  await world?.[Symbol.asyncDispose]();
});

test("R-62 the OpenAPI 3.1 document is valid", async () => {
  const result = await new Validator().validate(structuredClone(document) as never);
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(document.openapi).toMatch(/^3\.1\./);
});

test("docs/openapi.json is the document that is served", () => {
  const text = `${JSON.stringify(document, null, 1)}\n`;
  if (process.env["LASTRO_TEST_WRITE_OPENAPI"] === "on") writeFileSync(committedUrl, text);
  expect(readFileSync(committedUrl, "utf8")).toBe(text);
});

test("every operation, and docs/rest.md, has the status of whatever an answer fails with", () => {
  const statuses = new Set(errorCodes.map((code) => problemOf(new LastroError(code, "x")).status));
  expect(statuses.has(500)).toBe(true);
  const page = readFileSync(new URL("../../../docs/rest.md", import.meta.url), "utf8");
  const told = page.split("\n").flatMap((line) => /^\| ([\d, ]+) \| /.exec(line)?.[1]?.split(", ") ?? []);
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  const undocumented = operations.flatMap(({ operationId, responses }) =>
    [...statuses].filter((status) => !(status in responses)).map((status) => `${operationId} ${status}`),
  );
  // It looks for nothing.
  expect(undocumented).toEqual(["publishAuditLog 404"]);
  expect([...statuses].filter((status) => !told.includes(String(status)))).toEqual([]);
});

test.each([
  ["/api/v1/audit-logs/summary", countedRowsMax],
  ["/api/v1/audit-logs/suspicious-activity", lookedAtMax],
  ["/api/v1/audit-logs/user/{userId}/ip-history", lookedAtMax],
])("what %s may look at is told as it is: %i records", (path, rowsMax) => {
  expect(JSON.stringify(document.paths[path])).toContain(`More than ${rowsMax} records`);
});

const tellOf = ({ method, url, headers, payload }: Drawn): string =>
  `${method} ${url} ${JSON.stringify(headers)} ${payload ?? ""}`;

test(`R-62 ${requests} requests drawn from the document are answered as it says, without a 5xx`, async () => {
  process.stdout.write(`seed ${seed} (LASTRO_TEST_SEED repeats it)\n`);
  const judge = judgeOf(document);
  const statuses = new Map<number, number>();
  const known = [
    "a-1",
    "789",
    "account",
    "team_service",
    "eve",
    ownership,
    `${worldSrc}.0`,
    worldSrc,
    "LOGIN_FAILED",
  ];
  const property = fc.asyncProperty(requestsOf(document, known), async (drawn) => {
    const { method, url, headers, payload } = drawn;
    const answer = await server.inject({
      method,
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    const { statusCode: status, body } = answer;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const fault = judge(drawn, { status, type: String(answer.headers["content-type"]), body });
    if (status >= 500 || fault !== undefined)
      throw new Error(`${fault ?? status}: ${tellOf(drawn)}\n${body.slice(0, 2_000)}`);
  });
  await fc.assert(property, { numRuns: requests, seed });
  // The draw reaches answers as well as refusals.
  for (const status of [202, 404, 409, 415]) expect([status, statuses.has(status)]).toEqual([status, true]);
  expect(statuses.get(200)).toBeGreaterThan(requests / 10);
  expect(statuses.get(400)).toBeGreaterThan(requests / 10);
}, 600_000);
