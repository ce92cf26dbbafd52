/** Mutations of valid requests of every method over gRPC, by callers who may all, some and nothing. LASTRO_TEST_MUTATIONS says how many. */
import { readFileSync } from "node:fs";
import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Caller } from "../../src/core/caller.ts";
import { roles } from "../../src/core/caller.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { services } from "../../src/servers/grpc/server.ts";
import { buildLog } from "../support/built-log.ts";
import { authenticateAs, grant, person, sayId } from "../support/callers.ts";
import { campaignTimeoutMs, fuzz, must, seed, timesOf } from "../support/fuzz.ts";
import { callRaw, connect, failureOf, serve, type TestServer } from "../support/grpc-client.ts";
import { quietOperations, requestOf } from "../support/grpc-requests.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "../support/history-world.ts";
import { openGuard } from "../support/unguarded.ts";

const tenants = ["own", "foreign"] as const;
const secrets = { own: "own-secret-Zq81", foreign: "foreign-secret-Xk42" };
/** Streams get noise in test/servers/grpc/server.test.ts. */
const methods = services
  .flatMap((service) => service.methods)
  .filter(({ methodKind }) => methodKind === "unary");
/** 10,000 of all together where 100,000 are asked for. */
const runs = timesOf(25, 0.1 / methods.length);

const all = person("all", ...roles.map((role) => grant(role)));
const own = person("own", ...roles.map((role) => grant(role, { tenants: ["own"] })));
const masked = person("masked", ...roles.map((role) => grant(role, { tenants: ["own"], personal: false })));
const nobody = person("nobody");
/** What each may never be shown. */
const hidden: readonly (readonly [Caller, readonly string[]])[] = [
  [all, []],
  [own, [secrets.foreign]],
  [masked, [secrets.own, secrets.foreign]],
  [nobody, [secrets.own, secrets.foreign]],
];
const page = readFileSync("docs/grpc.md", "utf8");

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
beforeAll(async () => {
  world = await openHistoryWorld();
  const built = buildLog(world.store.log);
  const rows = await world.publish(
    ...tenants.flatMap((tenant) =>
      ["account.created", "account.updated"].map((type) => ({
        type,
        payload: { public_id: "a-1", secret: secrets[tenant] },
        metadata: { tenant_id: tenant, user_id: secrets[tenant] },
      })),
    ),
  );
  await built.heartbeats(1);
  await built.records(worldSrc, 0, rows);
  await built.publish();
  server = await serve(
    { ...world.deps, log: publishedLog({ log: world.store.log, now: world.deps.now }), guard: openGuard },
    quietOperations,
    { authenticate: authenticateAs(all, own, masked, nobody) },
  );
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function judge(method: DescMethod, bytes: Buffer, caller: Caller, secret: readonly string[]) {
  const path = `/${method.parent.typeName}/${method.name}`;
  const asked = callRaw(client, path, bytes, sayId(new Metadata(), caller));
  const answer = await asked.catch(() => undefined);
  if (answer !== undefined) {
    const text = Buffer.from(answer).toString("latin1");
    must(!secret.some((one) => text.includes(one)), `${caller.id} is shown what is hidden`);
    must(caller !== nobody || method.name === "GetCaller", "nobody is answered");
    return true;
  }
  const { code, reason, message } = await failureOf(asked);
  must(
    reason !== undefined && page.includes(`\`${reason}\``),
    `${reason} is not in docs/grpc.md: ${message}`,
  );
  must(code !== status.INTERNAL && code !== status.UNKNOWN, `it fails with ${code}`);
  must(
    caller !== nobody || method.name === "GetCaller" || code === status.PERMISSION_DENIED,
    `nobody gets ${code}`,
  );
  return false;
}

test.each(methods.map((method) => [method.name, method] as const))(
  `mutated requests of %s get an answer or an error of the list, and show nobody what is not theirs (seed ${seed})`,
  async (name, method) => {
    const corpus = tenants
      .map((tenant, at) => requestOf(name, tenant, `${worldSrc}.${2 * at}`))
      .map((request) => toBinary(method.input, create(method.input, request as never)));
    const check = async (bytes: Buffer): Promise<boolean> => {
      const verdicts = [];
      for (const [caller, secret] of hidden) verdicts.push(await judge(method, bytes, caller, secret));
      return verdicts[0] === true;
    };
    await fuzz({ name: `request-${name}`, corpus, check }, runs);
    expect(server.logged).toEqual([]);
  },
  campaignTimeoutMs,
);
