/** Certificates towards Kafka, Redis and MongoDB as the service keeps them, over real files. */
import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { parseConfig } from "../src/config.ts";
import { openUpstreamTls } from "../src/open-upstream-tls.ts";
import { type Certificate, type CertificateAuthority, openAuthority } from "./support/certificates.ts";

let root: CertificateAuthority;
let other: CertificateAuthority;
let first: Certificate;
let second: Certificate;
let live: Record<"ca" | "cert" | "key", string>;
const lines: string[] = [];
const note = (code: string, message: string): void => void lines.push(`${code} ${message}`);
const log = { info: note, warn: note, error: note };
beforeAll(async () => {
  [root, other] = await Promise.all([openAuthority(), openAuthority("other.test")]);
  first = await root.certify("first");
  second = await root.certify("second", { days: 1 });
  const at = (name: string): string => join(root.folder, `live-${name}.pem`);
  live = { ca: at("ca"), cert: at("cert"), key: at("key") };
});
afterAll(() => {
  root[Symbol.dispose]();
  other[Symbol.dispose]();
});
beforeEach(() => {
  lines.length = 0;
  copyFileSync(root.caFile, live.ca);
  put(first);
});

function put({ certFile, keyFile }: Certificate): void {
  copyFileSync(certFile, live.cert);
  copyFileSync(keyFile, live.key);
}
function open(env: Readonly<Record<string, string>> = all(), now = Date.now) {
  const parsed = parseConfig(env, () => "");
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  const upstream = openUpstreamTls(parsed.config, { now, log });
  const refresh = (): void => {
    for (const file of upstream.files) file.refresh();
  };
  return { ...upstream, refresh };
}
const all = () => ({
  LASTRO_UPSTREAM_CA_FILE: live.ca,
  LASTRO_UPSTREAM_CERT_FILE: live.cert,
  LASTRO_UPSTREAM_KEY_FILE: live.key,
});
const endOf = ({ cert }: Certificate): number => Date.parse(new X509Certificate(cert).validTo);

test("where nothing is configured there is nothing to read again", () => {
  const { tls, term, files } = open({});
  expect([tls, term(), files]).toEqual([{}, undefined, []]);
});

test("roots alone are kept without a certificate to show", () => {
  const upstream = open({ LASTRO_UPSTREAM_CA_FILE: live.ca });
  expect([upstream.tls, upstream.term()]).toEqual([{ ca: [root.ca] }, undefined]);
  copyFileSync(other.caFile, live.ca);
  upstream.refresh();
  expect(upstream.tls).toEqual({ ca: [other.ca] });
});

test("what is renewed on disk stands in the lists that clients were opened with, and who listens hears of it", () => {
  const upstream = open();
  const copied = { ...upstream.tls };
  const heard: unknown[] = [];
  upstream.onChange(() => heard.push(structuredClone(upstream.tls)));
  expect(copied).toEqual({ ca: [root.ca], cert: [first.cert], key: [first.key] });
  expect(upstream.term()?.expiresAtMs).toBe(endOf(first));
  copyFileSync(other.caFile, live.ca);
  put(second);
  upstream.refresh();
  upstream.refresh();
  const renewed = { ca: [other.ca], cert: [second.cert], key: [second.key] };
  expect([copied, heard]).toEqual([renewed, [renewed]]);
  expect(upstream.term()?.expiresAtMs).toBe(endOf(second));
  expect(lines).toEqual([
    "file_taken the new certificate towards Kafka, Redis and MongoDB holds from now on",
  ]);
});

const halfOf = (path: string): void => {
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.slice(0, text.length / 2));
};
test.each<[string, () => void, RegExp]>([
  ["whose key is not there yet", () => copyFileSync(second.certFile, live.cert), /KEY_FILE is not the key/],
  ["whose key is half written", () => halfOf(live.key), /KEY_FILE holds no private key/],
  ["that is half written", () => halfOf(live.cert), /CERT_FILE holds no certificate/],
  [
    "whose chain is half written",
    () => writeFileSync(live.cert, first.cert + root.ca.slice(0, root.ca.length / 2)),
    /CERT_FILE holds a chain that cannot be read/,
  ],
  ["with roots that are empty", () => writeFileSync(live.ca, ""), /CA_FILE holds no certificates/],
  [
    "whose second root is half written",
    () => writeFileSync(live.ca, root.ca + other.ca.slice(0, other.ca.length / 2)),
    /CA_FILE holds no certificates \(PEM\), or one that cannot be read/,
  ],
])("a certificate %s is refused once, and what held before holds", (_, spoil, told) => {
  const upstream = open();
  upstream.onChange(() => note("changed", ""));
  spoil();
  upstream.refresh();
  upstream.refresh();
  expect(upstream.tls).toEqual({ ca: [root.ca], cert: [first.cert], key: [first.key] });
  expect(lines).toEqual([expect.stringMatching(told)]);
  expect(lines[0]).toMatch(/^file_refused .*LASTRO_UPSTREAM_/);
  expect(open).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});

test("one that has expired, or is not valid yet, is refused; it is taken once it is valid", () => {
  let nowMs = Date.now();
  const upstream = open(all(), () => nowMs);
  put(second);
  nowMs = endOf(second);
  upstream.refresh();
  nowMs = 0;
  upstream.refresh();
  expect(upstream.tls.cert).toEqual([first.cert]);
  expect(lines).toEqual([expect.stringContaining("expired"), expect.stringContaining("is valid from")]);
  nowMs = Date.now();
  upstream.refresh();
  expect(upstream.tls.cert).toEqual([second.cert]);
});

test("a bundle of several roots is taken, with what is written between them", () => {
  writeFileSync(live.ca, `# ours\n${root.ca}\n# theirs\n${other.ca}`);
  expect(open().tls.ca).toEqual([readFileSync(live.ca, "utf8")]);
});
