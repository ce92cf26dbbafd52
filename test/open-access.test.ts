/** Who may ask as the service joins it from its configuration, over real files. */
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseConfig } from "../src/config.ts";
import type { Caller } from "../src/core/caller.ts";
import { type Access, openAccess } from "../src/open-access.ts";
import { type CertificateAuthority, openAuthority } from "./support/certificates.ts";
import { silentLog, silentObserver } from "./support/intake.ts";
import { until } from "./support/lastro.ts";

let root: CertificateAuthority;
let accessFile: string;
const stop = new AbortController();
const refusals: string[] = [];
beforeAll(async () => {
  root = await openAuthority();
  accessFile = join(root.folder, "access.json");
});
afterAll(() => {
  stop.abort();
  root[Symbol.dispose]();
});

function open(env: Readonly<Record<string, string>>, now = Date.now): Access {
  const parsed = parseConfig(env, () => "");
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  const around = {
    viewerKey: Buffer.alloc(32),
    now,
    random: Buffer.alloc,
    observer: silentObserver,
    log: { ...silentLog, warn: (_code: string, line: string) => void refusals.push(line) },
  };
  return openAccess(parsed.config, around, stop.signal);
}
const grant = (...roles: string[]): void => {
  const bindings = [{ who: { service: "billing" }, roles, scope: {} }];
  const services = { billing: { certificates: ["DNS:billing.internal"] } };
  writeFileSync(accessFile, JSON.stringify({ version: 1, services, bindings }));
};
const callerOf = ({ authenticate }: Access): Promise<Caller> => {
  const certificateNames = ["DNS:billing.internal"];
  const credentials = {
    authorization: undefined,
    m2mService: undefined,
    certificateNames,
    certificateUntilMs: Number.POSITIVE_INFINITY,
  };
  return authenticate(credentials, stop.signal);
};
const rolesOf = async (access: Access): Promise<readonly string[]> =>
  (await callerOf(access)).grants.map(({ role }) => role);

test("without access control everybody is granted everything, whatever is shown", async () => {
  const access = open({});
  expect(await rolesOf(access)).toHaveLength(6);
  expect(access.certificateTerm()).toBeUndefined();
});

test("the access file is read again by itself, also for whom it knew before", async () => {
  grant("reader");
  const access = open({
    LASTRO_AUTH: "on",
    LASTRO_ACCESS_FILE: accessFile,
    LASTRO_FILES_REFRESH_MS: "100",
  });
  expect(await rolesOf(access)).toEqual(["reader"]);
  const began = await callerOf(access);
  grant("auditor", "dpo");
  await until("the new grants hold", async () => (await rolesOf(access)).length === 2, 10_000);
  expect(began.grantsNow?.().map(({ role }) => role)).toEqual(["auditor", "dpo"]);
  expect(began.grants.map(({ role }) => role)).toEqual(["reader"]);
});

test("a wrong access file keeps the service from starting, with every fault", () => {
  writeFileSync(accessFile, JSON.stringify({ version: 2 }));
  const env = { LASTRO_AUTH: "on", LASTRO_ACCESS_FILE: accessFile };
  expect(() => open(env)).toThrow(/is not used:\nversion: .*\nbindings: /);
});

test("it is known how long the listeners' certificate holds", async () => {
  const { certFile, keyFile, cert } = await root.certify("lastro");
  const access = open({ LASTRO_TLS_CERT_FILE: certFile, LASTRO_TLS_KEY_FILE: keyFile });
  expect(access.certificateTerm()?.expiresAtMs).toBe(Date.parse(new X509Certificate(cert).validTo));
});

test("a certificate put in place before it is valid is shown from when it is", async () => {
  const old = await root.certify("old", { expired: true });
  const next = await root.certify("next");
  let nowMs = Date.parse("2020-01-01T12:00:00Z");
  const files = { LASTRO_TLS_CERT_FILE: old.certFile, LASTRO_TLS_KEY_FILE: old.keyFile };
  const access = open({ ...files, LASTRO_FILES_REFRESH_MS: "100" }, () => nowMs);
  const shown: string[] = [];
  access.tls?.onChange(({ cert }) => void shown.push(cert));
  writeFileSync(old.certFile, next.cert);
  writeFileSync(old.keyFile, next.key);
  await until("it was refused", async () => refusals.some((line) => line.includes("is valid from")), 10_000);
  expect(shown).toEqual([]);
  nowMs = Date.now();
  await until("it is shown", async () => shown.length > 0, 10_000);
  expect(shown).toEqual([next.cert]);
});
