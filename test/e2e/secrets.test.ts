/** The running service whose secrets lie in a real Vault: key ring and URLs. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { BodyState } from "../../src/gen/lastro/v1/record_pb.ts";
import { until } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { runLastroWith } from "../support/run-cli.ts";
import { redisUrl } from "../support/servers.ts";
import { appRole, startTestVault, type TestVault } from "../support/vault.ts";
import { endOf, message, type Service, startService, startTimeoutMs } from "./service.ts";

const path = "secret/data/lastro";
const newKek = (): string => randomBytes(32).toString("base64url");
const kek = newKek();
let vault: TestVault;
let service: Service;
let accessors: () => Promise<readonly string[]>;

const put = (keyring: unknown) =>
  vault.ask("POST", path, { data: { redis_url: redisUrl(), keyring: JSON.stringify(keyring) } });
const send = (name: string) =>
  service.send([message({ payload: { public_id: name }, metadata: { ownership_id: name } })]);
async function expectReadable(records: number): Promise<void> {
  const found = await service.ask(HistoryService, "searchRecords", { pageSize: 100 });
  expect(found.records.map(({ bodyState }) => bodyState)).toEqual(
    Array.from({ length: records }, () => BodyState.COMPLETE),
  );
}

beforeAll(async () => {
  vault = await startTestVault();
  await put({ v: 1, current: 1, keks: { "1": kek } });
  const role = await appRole(vault, [path], "20s");
  accessors = role.accessors;
  service = await startService("sqlite", {
    LASTRO_REDIS_URL: `vault:${path}#redis_url`,
    LASTRO_KEY_RING: `vault:${path}#keyring`,
    LASTRO_KEY_REFRESH_MS: "1000",
    LASTRO_LOG_LEVEL: "info",
    LASTRO_VAULT_ADDR: vault.url,
    LASTRO_VAULT_ROLE_ID: role.login.roleId,
    LASTRO_VAULT_SECRET_ID_FILE: role.login.secretIdFile,
  });
}, startTimeoutMs + 180_000);
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await vault?.[Symbol.asyncDispose]();
});

test("R-13 the service runs on what Vault holds, and makes no key ring of its own", async () => {
  await send("first");
  await expectReadable(1);
  expect((await (await fetch(`${service.lastro().httpUrl}/readyz`)).json()) as unknown).toMatchObject({
    parts: { redis: { ok: true } },
  });
  expect(existsSync(join(service.world.dataDir, "keys", "keyring.json"))).toBe(false);
});

test("R-13 the KEK is rotated in Vault while the service runs", async () => {
  await put({ v: 1, current: 2, keks: { "1": kek, "2": newKek() } });
  const isRewrapped = async () =>
    /keys_rewrapped.*"lastro.kek":2.*"lastro.left":0/.test(service.lastro().output());
  await until("all keys are under epoch 2", isRewrapped, 20_000, service.lastro());
  await send("second");
  await expectReadable(2);
});

test("R-13 a service that is stopped, and a check that ends, give back what Vault let them in by", async () => {
  await untilLogged(service.lastro(), 2);
  const areBothIn = async () => (await accessors()).length === 2;
  await until("service and log hold a token each", areBothIn, 20_000, service.lastro());
  expect((await service.stop()).code).toBe(0);
  expect(await accessors()).toEqual([]);
  const check = await runLastroWith({ env: service.world.env }, "check", "--open-bodies", "--json");
  expect(JSON.parse(check.out)).toMatchObject({ checked: { bodiesOpened: 2 } });
  expect(await accessors()).toEqual([]);
  await service.start();
}, 60_000);

test("R-13 a Vault that goes away stops nothing that runs, and only keeps the service from starting, by name", async () => {
  await vault.stop();
  const untold = async () => /keys_not_rewrapped/.test(service.lastro().output());
  await until("the ring could not be read anew", untold, 30_000, service.lastro());
  await send("third");
  await expectReadable(3);
  await service.stop();
  const { code, output } = await endOf(await service.world.spawn());
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(
      /^SECRETS_UNAVAILABLE: LASTRO_REDIS_URL: Vault at \S+ did not answer \(ECONNREFUSED\)$/m,
    ),
  ]);
}, 90_000);

test("R-13 nothing that the service printed holds a secret", () => {
  const output = service.lastro().output();
  expect(output).toContain(`vault:${path}#keyring`);
  for (const secret of [kek, vault.rootToken, redisUrl()]) expect(output).not.toContain(secret);
});
