/** What the running service refuses at its start, and what it then tells the operator to do. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { loopbackSan, openAuthority } from "../support/certificates.ts";
import { spawnLastro } from "../support/lastro.ts";
import { makeWorld } from "../support/world.ts";
import { type Ended, endOf } from "./service.ts";

const folder = mkdtempSync(join(tmpdir(), "lastro-refusals-"));
afterAll(() => rmSync(folder, { recursive: true }));
const start = async (env: Readonly<Record<string, string>>): Promise<Ended> =>
  endOf(await spawnLastro({ env: { LASTRO_DATA_DIR: folder, ...env } }));

describe("configuration", () => {
  test("every fault is told at once, unknown names with a suggestion, and the exit code is 2", async () => {
    const { code, output } = await start({
      LASTRO_GRPC_ADRESS: "127.0.0.1:1",
      LASTRO_BATCH_SIZE_MAX: "none",
      LASTRO_KAFKA_BROKERS: "localhost",
      LASTRO_STORE_URL: "postgres://db/audit",
      LASTRO_STORE_URL_FILE: "/run/secrets/store",
    });
    expect(code).toBe(2);
    const lines = output.trim().split("\n");
    for (const fault of [
      /LASTRO_GRPC_ADRESS .*did you mean LASTRO_GRPC_ADDRESS\?/,
      /^LASTRO_BATCH_SIZE_MAX must be a whole number/,
      /^LASTRO_KAFKA_BROKERS must be host:port/,
      /^LASTRO_STORE_URL must be sqlite:<path of a file> or mongodb:/,
      /^LASTRO_STORE_URL is set twice/,
    ])
      expect(lines).toContainEqual(expect.stringMatching(fault));
    expect(lines).toHaveLength(5);
  });

  test("an LASTRO_AUTH other than none is refused while there is no access control", async () => {
    const { code, output } = await start({ LASTRO_AUTH: "oidc" });
    expect([code, output]).toEqual([2, expect.stringMatching(/^LASTRO_AUTH must be none/)]);
  });

  test("listeners that others can reach are refused while anybody may ask", async () => {
    const { code, output } = await start({
      LASTRO_GRPC_ADDRESS: "0.0.0.0:50051",
      LASTRO_HTTP_ADDRESS: "[::]:8080",
      LASTRO_REST_ADDRESS: "0.0.0.0:8081",
    });
    const faults = ["LASTRO_GRPC_ADDRESS", "LASTRO_HTTP_ADDRESS", "LASTRO_REST_ADDRESS"].map(
      (name) => `${name} must be on loopback`,
    );
    expect([code, output.trim().split("\n")]).toEqual([
      2,
      faults.map((fault) => expect.stringContaining(fault)),
    ]);
  });
});

test("a wrong catalogue is refused with all its errors", async () => {
  const path = join(folder, "catalogue.json");
  const events = {
    "account.*": { entity_id: "public_id" },
    "account.created": { kind: "activity", action: "new" },
    "account.renamed": { colour: "red", schemas: { "1": { type: "object" } } },
  };
  writeFileSync(path, JSON.stringify({ version: 1, events }));
  const { code, output } = await start({ LASTRO_CATALOGUE_FILE: path });
  expect([code, output]).toEqual([1, expect.stringMatching(/^CATALOGUE_INVALID: /)]);
  for (const fault of [
    "/events/account.*/entity_id: must be an RFC 6901 pointer",
    "/events/account.created/action: an activity has no action",
    "/events/account.renamed/schemas/1: must be major.minor",
    "colour",
  ])
    expect(output).toContain(fault);
});

test("a catalogue that is not there is refused", async () => {
  const { code, output } = await start({ LASTRO_CATALOGUE_FILE: join(folder, "nowhere.json") });
  expect([code, output]).toEqual([1, expect.stringMatching(/nowhere\.json.* cannot be read/)]);
});

test.each(["LASTRO_GRPC_ADDRESS", "LASTRO_HTTP_ADDRESS", "LASTRO_REST_ADDRESS"])(
  "a port that is taken is told with %s, which gives another",
  async (name) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await using world = await makeWorld("sqlite");
    const { code, output } = await endOf(await world.spawn({ env: { [name]: `127.0.0.1:${port}` } }));
    server.close();
    const sentence = `cannot listen on 127.0.0.1:${port}; free the port or set another with ${name}`;
    expect([code, output]).toEqual([1, expect.stringContaining(sentence)]);
  },
);

test("a start that fails ends the process, also when files are read again in the background already", async () => {
  using root = await openAuthority();
  const { certFile, keyFile } = await root.certify("listener", { san: loopbackSan });
  const accessFile = join(folder, "access.json");
  const bindings = [{ who: { service: "billing" }, roles: ["reader"], scope: {} }];
  const services = { billing: { certificates: ["DNS:billing.internal"] } };
  writeFileSync(accessFile, JSON.stringify({ version: 1, services, bindings }));
  const lastro = await spawnLastro({
    env: {
      LASTRO_DATA_DIR: join(folder, "data"),
      LASTRO_AUTH: "on",
      LASTRO_ACCESS_FILE: accessFile,
      LASTRO_TLS_CERT_FILE: certFile,
      LASTRO_TLS_KEY_FILE: keyFile,
      LASTRO_ANCHOR_FOLDER: folder,
      LASTRO_ANCHOR_TSA_URL: "http://127.0.0.1:1/",
      LASTRO_ANCHOR_TSA_CA_FILE: join(folder, "nowhere.pem"),
    },
  });
  const kill = setTimeout(() => void lastro.stop("SIGKILL"), 30_000);
  const { code, output } = await endOf(lastro);
  clearTimeout(kill);
  expect([code, output]).toEqual([1, expect.stringMatching(/^CONFIG_INVALID: .*nowhere\.pem/m)]);
}, 60_000);

test("a second process on the same SQLite file is refused, and the first serves on", async () => {
  await using world = await makeWorld("sqlite");
  const first = await world.start();
  const { code, output } = await endOf(await world.spawn());
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/^STORE_LOCKED: .*use MongoDB for several processes/),
  ]);
  expect((await fetch(`${first.httpUrl}/readyz`)).ok).toBe(true);
}, 60_000);
