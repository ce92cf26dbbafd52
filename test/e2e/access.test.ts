/** The running service with access control and TLS on every listener, over a Kafka, a Redis and a MongoDB that speak TLS alone. */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HistoryService, type TailRecordsResponse } from "../../src/gen/lastro/v1/history_pb.ts";
import { CallerRole, IdentityService } from "../../src/gen/lastro/v1/identity_pb.ts";
import { OperationsService } from "../../src/gen/lastro/v1/operations_pb.ts";
import { signRequest } from "../../src/sdk/sign-request.ts";
import {
  type Certificate,
  type CertificateAuthority,
  loopbackSan,
  openAuthority,
} from "../support/certificates.ts";
import { call, callStream, failureOf } from "../support/grpc-client.ts";
import { freePort, type LastroProcess, until } from "../support/lastro.ts";
import { makeLoad, publish } from "../support/published.ts";
import { runLastro } from "../support/run-cli.ts";
import { mongoUrl, type RunningServer, startKafka, startRedis } from "../support/servers.ts";
import { type TlsInFront, tlsInFrontOf } from "../support/tls-in-front.ts";
import { makeWorld, type World } from "../support/world.ts";
import { metricOf } from "./service.ts";

let root: CertificateAuthority;
let own: Certificate;
let billing: Certificate;
let kafka: RunningServer;
let redis: RunningServer;
let mongo: TlsInFront;
let world: World;
let lastro: LastroProcess;
let accessFile: string;
const pair = generateKeyPairSync("ed25519");
const jobs = {
  publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
  privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
};

beforeAll(async () => {
  root = await openAuthority();
  own = await root.certify("lastro", { san: `${loopbackSan},URI:spiffe://acme/lastro` });
  const { certFile, keyFile } = own;
  const ports = { tls: await freePort(), sasl: await freePort() };
  const user = { name: "lastro", password: "secret" };
  kafka = await startKafka({
    dir: join(root.folder, "kafka"),
    secured: { ports, certFile, keyFile, caFile: root.caFile, user },
  });
  const tlsPort = await freePort();
  const tls = ["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", root.caFile];
  redis = await startRedis({ dir: join(root.folder, "redis"), more: ["--tls-port", `${tlsPort}`, ...tls] });
  mongo = await tlsInFrontOf(new URL(mongoUrl()), own, root);
  accessFile = join(root.folder, "access.json");
  copyFileSync(certFile, join(root.folder, "live.pem"));
  copyFileSync(keyFile, join(root.folder, "live.key"));
  copyFileSync(certFile, join(root.folder, "upstream.pem"));
  copyFileSync(keyFile, join(root.folder, "upstream.key"));
  grant(["operator", "auditor"]);
  billing = await root.certify("billing", { san: "URI:spiffe://acme/billing" });
  world = await makeWorld("mongodb", {
    LASTRO_AUTH: "on",
    LASTRO_ACCESS_FILE: accessFile,
    LASTRO_FILES_REFRESH_MS: "3600000",
    LASTRO_TLS_CERT_FILE: join(root.folder, "live.pem"),
    LASTRO_TLS_KEY_FILE: join(root.folder, "live.key"),
    LASTRO_TLS_CLIENT_CA_FILE: root.caFile,
    LASTRO_TLS_CLIENTS: "optional",
    LASTRO_UPSTREAM_CA_FILE: root.caFile,
    LASTRO_UPSTREAM_CERT_FILE: join(root.folder, "upstream.pem"),
    LASTRO_UPSTREAM_KEY_FILE: join(root.folder, "upstream.key"),
    LASTRO_KAFKA_BROKERS: `127.0.0.1:${ports.tls}`,
    LASTRO_KAFKA_TLS: "on",
    LASTRO_REDIS_URL: `rediss://127.0.0.1:${tlsPort}`,
    LASTRO_STORE_URL: `mongodb://${mongo.address}/?tls=true&directConnection=true`,
  });
  lastro = await world.spawn();
  await until("the service is ready", async () => (await get("/readyz")).status === 200, 120_000, lastro);
}, 300_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await Promise.all([kafka.stop(), redis.stop()]);
  await mongo[Symbol.asyncDispose]();
  root[Symbol.dispose]();
}, 60_000);

function grant(roles: readonly string[]): void {
  const bindings = [{ who: { service: "billing" }, roles, scope: {} }];
  writeFileSync(
    accessFile,
    JSON.stringify({
      version: 1,
      services: {
        billing: { certificates: ["URI:spiffe://acme/billing"] },
        jobs: { keys: [jobs.publicKey] },
      },
      bindings,
    }),
  );
}

const get = (path: string): Promise<{ readonly status: number | undefined; readonly text: string }> =>
  new Promise((resolve, reject) => {
    const url = new URL(path, lastro.httpUrl.replace("http:", "https:"));
    request(url, { ca: root.ca, agent: false }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    })
      .on("error", reject)
      .end();
  });
/** As the metrics tell it. */
const expiry = async (certificate: string): Promise<number> =>
  metricOf((await get("/metrics")).text, `lastro_certificate_expires_seconds{certificate="${certificate}"`) *
  1_000;
/** The serial of the certificate that a listener shows. */
async function shownOn(address: string): Promise<string> {
  const socket = connectTls({ port: Number(new URL(address).port), host: "127.0.0.1", ca: root.ca });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
const dial = (certificate?: Certificate): Client & Disposable => {
  const pair =
    certificate === undefined ? [] : ([Buffer.from(certificate.key), Buffer.from(certificate.cert)] as const);
  const client = new Client(lastro.grpcAddress, credentials.createSsl(Buffer.from(root.ca), ...pair));
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
};

const whoami = (client: Client, metadata?: Metadata) =>
  call(client, IdentityService, "getCaller", {}, { deadline: Date.now() + 5_000 }, metadata);
/** SIGHUP reads the files; the answer to what was asked tells when that is done. */
async function reread(what: string, done: () => Promise<boolean>): Promise<void> {
  lastro.process.kill("SIGHUP");
  await until(what, done, 10_000, lastro);
}

test("R-24 events arrive and are stored with TLS on every listener and every connection", async () => {
  const load = makeLoad({ seed: 24, events: 300, entities: 20 });
  await publish([kafka.address], world.topic, load.batch);
  using client = dial(billing);
  const stored = async (): Promise<number> => {
    const { partitions } = await call(client, OperationsService, "getIntake", {});
    return partitions.reduce((sum, { counts }) => sum + Number(counts?.stored ?? 0n), 0);
  };
  await until("all is stored", async () => (await stored()) === load.ids.size, 60_000, lastro);
  const { parts } = JSON.parse((await get("/readyz")).text);
  const ok = { ok: true };
  expect(parts).toMatchObject({
    redis: ok,
    kafka: ok,
    store: ok,
    certificate: { ok: true, required: false },
  });
  expect(await expiry("listeners")).toBe(Date.parse(new X509Certificate(own.cert).validTo));
}, 120_000);

test("without an identity nothing is served, and a token that was refused is not in what the service printed", async () => {
  using client = dial();
  expect((await failureOf(whoami(client))).code).toBe(status.UNAUTHENTICATED);
  const { Authorization: authorization } = await signRequest({
    service: "jobs",
    privateKey: jobs.privateKey,
    audience: "shop",
  });
  const metadata = Metadata.fromHttp2Headers({ authorization, "x-m2m-service": "jobs" });
  expect(await failureOf(whoami(client, metadata))).toMatchObject({
    code: status.UNAUTHENTICATED,
    message: expect.stringMatching(/aud/),
  });
  expect(lastro.output()).toContain("caller_refused");
  for (const part of authorization.split(/[ .]/).slice(1)) expect(lastro.output()).not.toContain(part);
});

test("R-52 a service signs its own requests", async () => {
  using client = dial();
  const headers = await signRequest({ service: "jobs", privateKey: jobs.privateKey });
  const metadata = Metadata.fromHttp2Headers({
    authorization: headers.Authorization,
    "x-m2m-service": headers["X-M2M-Service"],
  });
  expect(await whoami(client, metadata)).toMatchObject({ id: "service:jobs", grants: [] });
});

test("the command line verifies and tails over TLS by a certificate, and is refused without", async () => {
  using client = dial(billing);
  const { partitions } = await call(client, OperationsService, "getIntake", {});
  const { src = "" } = partitions.find(({ counts }) => (counts?.stored ?? 0n) > 0n) ?? {};
  const server = ["--server", lastro.grpcAddress, "--tls", "--ca", root.caFile];
  const shown = ["--cert", billing.certFile, "--key", billing.keyFile];
  const verify = (...access: readonly string[]) =>
    runLastro("verify", "range", src, "0", "1", ...server, ...access);
  const tail = (...access: readonly string[]) =>
    runLastro("tail", "--from-index", "0", "--count", "1", "--json", ...server, ...access);
  await until("the log covers it", async () => (await verify(...shown)).code === 0, 60_000, lastro);
  const told = await tail(...shown);
  expect(told.code).toBe(0);
  expect(JSON.parse(told.out)).toMatchObject({ index: expect.any(Number) });
  for (const refused of [await verify(), await tail()]) {
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/UNAUTHENTICATED/);
  }
}, 90_000);

test("what the access file grants changes without a restart, and a wrong file changes nothing", async () => {
  using client = dial(billing);
  const granted = async (): Promise<readonly number[]> =>
    (await whoami(client)).grants.map(({ role }) => role);
  const { OPERATOR: operator, AUDITOR: auditor, READER: reader } = CallerRole;
  expect(await granted()).toEqual([operator, auditor]);
  grant(["operator", "auditor", "reader"]);
  await reread("the new grants hold", async () => (await granted()).length === 3);
  const isTold = async (): Promise<boolean> =>
    metricOf((await get("/metrics")).text, 'lastro_self_audit_events_total{outcome="published"') > 0;
  await until("R-87 the change is told", isTold, 10_000, lastro);
  writeFileSync(accessFile, "{}");
  await reread("the wrong file is refused", async () => lastro.output().includes("file_refused"));
  expect(await granted()).toEqual([operator, auditor, reader]);
});

test("R-25 a tail that runs ends when the access file takes its grants, and says where it was", async () => {
  using client = dial(billing);
  grant(["operator", "auditor"]);
  const stream = callStream(client, HistoryService, "tailRecords", { from: { case: "index", value: 0n } });
  let nextIndex = -1n;
  stream.on("data", (answer: TailRecordsResponse) => {
    nextIndex = answer.nextIndex;
  });
  const ended = failureOf(new Promise((_, reject) => stream.on("error", reject)));
  await until("it tells", async () => nextIndex > 0n, 30_000, lastro);
  grant(["operator"]);
  await reread("the new grants hold", async () => (await whoami(client)).grants.length === 1);
  expect(await ended).toMatchObject({ code: status.PERMISSION_DENIED, nextIndex: String(nextIndex) });
}, 60_000);

test("R-24 a new certificate is shown without a restart", async () => {
  const next = await root.certify("lastro-next", { san: loopbackSan });
  copyFileSync(next.certFile, join(root.folder, "live.pem"));
  copyFileSync(next.keyFile, join(root.folder, "live.key"));
  const { serialNumber } = new X509Certificate(next.cert);
  await reread("the new certificate is shown", async () => (await shownOn(lastro.httpUrl)) === serialNumber);
  expect(await shownOn(`http://${lastro.grpcAddress}`)).toBe(serialNumber);
});

test("R-24 store and log go on with a certificate that was renewed on disk, once the old one is refused, without a restart", async () => {
  const renewed = await root.certify("lastro-renewed", { days: 1 });
  copyFileSync(renewed.certFile, join(root.folder, "upstream.pem"));
  copyFileSync(renewed.keyFile, join(root.folder, "upstream.key"));
  const { validTo } = new X509Certificate(renewed.cert);
  await reread("the files are read", async () => (await expiry("upstream")) === Date.parse(validTo));
  const logged = async (): Promise<number> => metricOf((await get("/metrics")).text, "lastro_log_size");
  const before = await logged();
  mongo.become(own, root, renewed);
  const load = makeLoad({ seed: 25, events: 100, entities: 20 });
  await publish([kafka.address], world.topic, load.batch);
  const covered = async (): Promise<boolean> => (await logged()) >= before + load.ids.size;
  await until("the log covers what came since", covered, 60_000, lastro);
  expect((await get("/readyz")).status).toBe(200);
}, 120_000);
