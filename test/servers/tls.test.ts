/** The listeners with real TLS: who is turned away, who is known by a certificate, and certificates that are replaced while they listen. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { authenticator } from "../../src/access/authenticate.ts";
import { openFreshFiles } from "../../src/adapters/files/fresh-files.ts";
import { parseServerTls } from "../../src/adapters/files/server-tls.ts";
import { IdentityService } from "../../src/gen/lastro/v1/identity_pb.ts";
import type { ServerTls, ServerTlsSource } from "../../src/ports/server-tls.ts";
import { startHttpServer } from "../../src/servers/http/server.ts";
import {
  type Certificate,
  type CertificateAuthority,
  loopbackSan,
  openAuthority,
} from "../support/certificates.ts";
import { call, failureOf, quietCollect, serve, testViewers } from "../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { silentObserver } from "../support/intake.ts";
import { noTiles } from "../support/no-log.ts";
import { serveRest } from "../support/rest-client.ts";

const lines: string[] = [];
const note = (code: string, message: string): void => void lines.push(`${code} ${message}`);
const log = { info: note, warn: note, error: note };

let world: HistoryWorld;
let root: CertificateAuthority;
let stranger: CertificateAuthority;
let own: Certificate;
const clients: Record<string, Certificate> = {};
beforeAll(async () => {
  world = await openHistoryWorld();
  [root, stranger] = await Promise.all([openAuthority(), openAuthority("stranger.test")]);
  own = await root.certify("lastro", { san: loopbackSan });
  const billing = { san: "URI:spiffe://acme/billing,DNS:billing.internal" };
  clients["good"] = await root.certify("billing", billing);
  clients["expired"] = await root.certify("billing-expired", { ...billing, expired: true });
  clients["nameless"] = await root.certify("nameless");
  clients["foreign"] = await stranger.certify("billing", billing);
}, 60_000);
afterAll(async () => {
  root[Symbol.dispose]();
  stranger[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

type Replaceable = ServerTlsSource & { refresh(): void };
/** As the composition root joins them, over a copy that a test may replace. */
function tlsOver(certificate: Certificate, clientsRequired: boolean, folder = root.folder): Replaceable {
  const [cert, key, ca] = ["live.pem", "live.key", "live-ca.pem"].map((file) => join(folder, file)) as [
    string,
    string,
    string,
  ];
  copyFileSync(certificate.certFile, cert);
  copyFileSync(certificate.keyFile, key);
  copyFileSync(root.caFile, ca);
  const listeners: ((tls: ServerTls) => void)[] = [];
  const files = openFreshFiles({
    paths: [cert, key, ca],
    what: "certificate",
    log,
    parse: (texts) => parseServerTls(texts, clientsRequired, Date.now),
    changed(tls) {
      for (const listener of listeners) listener(tls);
    },
  });
  return { ...files, onChange: (listener) => void listeners.push(listener) };
}

let nowMs: () => number = Date.now;
const authenticate = authenticator({
  rules: () => ({
    services: new Map([["billing", { keys: [] }]]),
    serviceOf: new Map([["URI:spiffe://acme/billing", "billing"]]),
    bindings: [],
  }),
  oidc: undefined,
  audience: ["lastro"],
  viewers: testViewers,
  now: () => nowMs(),
  observer: silentObserver,
  log,
});

const connect = (
  address: string,
  { cert, key }: Partial<Certificate> = {},
  ca = root.ca,
): Client & Disposable => {
  const pair =
    cert === undefined || key === undefined ? [] : ([Buffer.from(key), Buffer.from(cert)] as const);
  const client = new Client(address, credentials.createSsl(Buffer.from(ca), ...pair));
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
};
const soon = () => ({ deadline: Date.now() + 3_000 });
const whoami = (client: Client) => call(client, IdentityService, "getCaller", {}, soon());

describe.each([["required"], ["optional"]])("gRPC, where certificates of clients are %s", (clientsAre) => {
  const isRequired = clientsAre === "required";
  const start = () => serve(world.deps, undefined, { tls: tlsOver(own, isRequired), authenticate });

  test("R-24 a service is known by the name in its certificate", async () => {
    await using server = await start();
    using client = connect(server.address, clients["good"]);
    expect((await whoami(client)).id).toBe("service:billing");
  });

  test("row 86: a certificate that is expired or of another CA is refused, and so is none", async () => {
    await using server = await start();
    for (const kind of ["expired", "foreign", "none"]) {
      using client = connect(server.address, clients[kind]);
      const { code } = await failureOf(whoami(client));
      expect({ kind, code }).toEqual({
        kind,
        code: isRequired ? status.UNAVAILABLE : status.UNAUTHENTICATED,
      });
    }
  });

  test("row 86: a certificate without SAN identifies nobody", async () => {
    await using server = await start();
    using client = connect(server.address, clients["nameless"]);
    expect(await failureOf(whoami(client))).toMatchObject({
      code: status.UNAUTHENTICATED,
      reason: "UNAUTHENTICATED",
    });
  });

  test("a client that trusts another CA does not talk to it, and one in the clear is not answered", async () => {
    await using server = await start();
    using wary = connect(server.address, clients["good"], stranger.ca);
    expect((await failureOf(whoami(wary))).code).toBe(status.UNAVAILABLE);
    const plain = new Client(server.address, credentials.createInsecure());
    expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain((await failureOf(whoami(plain))).code);
    plain.close();
  });
});

/** The serial of the certificate that a listener shows. */
async function shown(port: number, client = clients["good"]): Promise<string> {
  const { cert, key } = client ?? {};
  const socket: TLSSocket = connectTls({
    port,
    host: "127.0.0.1",
    ca: root.ca,
    ...(cert && key && { cert, key }),
  });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const ready = { ok: true, required: true };
const startHttp = (tls: ServerTlsSource) =>
  startHttpServer({
    address: { host: "127.0.0.1", port: 0 },
    metrics: (_request, response) => response.end(),
    readiness: async () => ({ store: ready }),
    tiles: noTiles,
    observer: silentObserver,
    tls,
  });
const get = (
  port: number,
  { cert, key }: Partial<Certificate> = {},
  path = "/livez",
  agent: Agent | false = false,
): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, ca: root.ca, agent };
    request({ ...options, ...(cert && key && { cert, key }) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });

test("R-24 HTTP speaks TLS, asks for certificates where they are required, and answers without where they are not", async () => {
  await using strict = await startHttp(tlsOver(own, true));
  expect(await get(strict.address.port, clients["good"])).toBe(200);
  for (const kind of ["none", "expired", "foreign"])
    await expect(get(strict.address.port, clients[kind])).rejects.toBeDefined();
  await using open = await startHttp(tlsOver(own, false));
  expect(await get(open.address.port)).toBe(200);
});

/** Keeps one connection, and counts those that were made. */
function standing(): Agent & Disposable & { connections(): number } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  agent.on("free", (socket) => void sockets.add(socket));
  return Object.assign(agent, { connections: () => sockets.size, [Symbol.dispose]: () => agent.destroy() });
}

const startRest = (tls: ServerTlsSource) =>
  serveRest({ query: world.deps, collect: quietCollect(world.deps) }, { tls, authenticate });
const portOf = (address: string): number => Number(address.split(":")[1]);

test("R-14 R-24 REST speaks TLS, and knows a service by the name in its certificate", async () => {
  await using strict = await startRest(tlsOver(own, true));
  // Known, and granted nothing.
  expect(await get(portOf(strict.address), clients["good"], "/api/v1/audit-logs")).toBe(403);
  expect(await get(portOf(strict.address), clients["nameless"], "/api/v1/audit-logs")).toBe(401);
  for (const kind of ["none", "expired", "foreign"])
    await expect(get(portOf(strict.address), clients[kind], "/api/v1/audit-logs")).rejects.toBeDefined();
  await using open = await startRest(tlsOver(own, false));
  for (const kind of ["none", "expired", "foreign"])
    expect(await get(portOf(open.address), clients[kind], "/api/v1/audit-logs")).toBe(401);
});

test("a client certificate that expires counts no longer, on a connection that stands too", async () => {
  await using rest = await startRest(tlsOver(own, true));
  await using grpc = await serve(world.deps, undefined, { tls: tlsOver(own, true), authenticate });
  using client = connect(grpc.address, clients["good"]);
  using agent = standing();
  const ask = () => get(portOf(rest.address), clients["good"], "/api/v1/audit-logs", agent);
  const untilMs = Date.parse(new X509Certificate(clients["good"]?.cert ?? "").validTo);
  try {
    nowMs = () => untilMs - 1;
    expect([await ask(), (await whoami(client)).id]).toEqual([403, "service:billing"]);
    nowMs = () => untilMs;
    expect(await ask()).toBe(401);
    expect((await failureOf(whoami(client))).code).toBe(status.UNAUTHENTICATED);
  } finally {
    nowMs = Date.now;
  }
  expect(agent.connections()).toBe(1);
});

test("new certificates are shown from the next connection on, without a restart, and calls that run go on", async () => {
  const tls = tlsOver(own, true);
  await using server = await serve(world.deps, undefined, { tls, authenticate });
  await using http = await startHttp(tls);
  await using rest = await startRest(tls);
  const ports = [portOf(server.address), http.address.port, portOf(rest.address)];
  using client = connect(server.address, clients["good"]);
  await whoami(client);
  const before = await Promise.all(ports.map((port) => shown(port)));

  const next = await root.certify("lastro-next", { san: loopbackSan });
  copyFileSync(next.certFile, join(root.folder, "live.pem"));
  lines.length = 0;
  tls.refresh();
  expect(lines).toEqual([expect.stringMatching(/^file_refused .*not the key of the certificate/)]);
  tls.refresh();
  expect(lines).toHaveLength(1);
  expect(await Promise.all(ports.map((port) => shown(port)))).toEqual(before);

  copyFileSync(next.keyFile, join(root.folder, "live.key"));
  tls.refresh();
  expect(lines.at(-1)).toMatch(/^file_taken/);
  const after = await Promise.all(ports.map((port) => shown(port)));
  expect(new Set(after).size).toBe(1);
  expect(after).not.toEqual(before);
  expect((await whoami(client)).id).toBe("service:billing");

  copyFileSync(stranger.caFile, join(root.folder, "live-ca.pem"));
  tls.refresh();
  await expect(get(http.address.port, clients["good"])).rejects.toBeDefined();
  expect(await get(http.address.port, clients["foreign"])).toBe(200);
});

test("an expired certificate is refused at the start, and keeps the old one later", async () => {
  const expired = await root.certify("lastro-expired", { san: loopbackSan, expired: true });
  expect(() => tlsOver(expired, true)).toThrow(/LASTRO_TLS_CERT_FILE expired/);
  const tls = tlsOver(own, true);
  copyFileSync(expired.certFile, join(root.folder, "live.pem"));
  copyFileSync(expired.keyFile, join(root.folder, "live.key"));
  tls.refresh();
  expect(tls.current().cert).toBe(own.cert);
  expect(lines.at(-1)).toMatch(/^file_refused .*expired/);
});
