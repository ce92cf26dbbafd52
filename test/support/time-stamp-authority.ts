/** A time-stamping authority as OpenSSL has it (`openssl ts`): a root of its own, a certificate for time stamping, and a door over HTTP. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import * as asn1js from "asn1js";

const run = promisify(execFile);

const settings = `
[tsa]
default_tsa = own
[own]
dir = .
serial = ./serial
signer_cert = ./tsa.pem
signer_key = ./tsa.key
certs = ./ca.pem
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
`;

export type TimeStampAuthority = AsyncDisposable & {
  readonly url: string;
  /** PEM file of its root. */
  readonly caFile: string;
  /** Answers with this from now on, in the place of its own reply; undefined: its own again. */
  answer: Buffer | undefined;
  /** The header of that name of the last request. */
  authorization: string | undefined;
  /** A reply as `openssl ts -reply` makes it. */
  reply(query: Uint8Array): Promise<Buffer>;
  /** The same signed by a certificate of its root for another use, written as OpenSSL writes it, which `openssl ts` refuses to sign with. */
  replySignedFor(usage: string, query: Uint8Array): Promise<Buffer>;
};

export async function startAuthority(): Promise<TimeStampAuthority> {
  const folder = mkdtempSync(join(tmpdir(), "lastro-tsa-"));
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd: folder });
  writeFileSync(join(folder, "settings.cnf"), settings);
  writeFileSync(join(folder, "serial"), "01\n");
  const newKey = ["-newkey", "rsa:2048", "-nodes", "-keyout"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=root.test",
  );
  async function certify(name: string, usage: string): Promise<void> {
    const extensions = `basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=${usage}\n`;
    writeFileSync(join(folder, `${name}.cnf`), extensions);
    await openssl("req", ...newKey, `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}.test`);
    const by = [
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      `${name}.cnf`,
    ];
    await openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`);
  }
  await certify("tsa", "critical,timeStamping");

  let queries = 0;
  async function reply(query: Uint8Array): Promise<Buffer> {
    const name = `query-${++queries}`;
    writeFileSync(join(folder, `${name}.tsq`), query);
    const files = ["-queryfile", `${name}.tsq`, "-out", `${name}.tsr`];
    await openssl("ts", "-reply", "-config", "settings.cnf", "-section", "own", ...files);
    return readFileSync(join(folder, `${name}.tsr`));
  }
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer(async (request, response) => {
    const query = await buffer(request);
    authority.authorization = request.headers.authorization;
    // One after the other: each takes the next number of the file of serials.
    const answered = last.then(async () => authority.answer ?? (await reply(query)));
    last = answered;
    response.writeHead(200, { "content-type": "application/timestamp-reply" }).end(await answered);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const authority: TimeStampAuthority = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    caFile: join(folder, "ca.pem"),
    answer: undefined,
    authorization: undefined,
    reply,
    async replySignedFor(usage, query) {
      await certify("odd", usage);
      writeFileSync(join(folder, "own.tsr"), await reply(query));
      await openssl("ts", "-reply", "-in", "own.tsr", "-token_out", "-out", "own.token");
      await openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", "own.token", "-out", "info");
      const type = ["-econtent_type", "1.2.840.113549.1.9.16.1.4", "-binary", "-nodetach", "-md", "sha256"];
      const by = ["-signer", "odd.pem", "-inkey", "odd.key"];
      await openssl("cms", "-sign", ...type, ...by, "-outform", "DER", "-in", "info", "-out", "odd.token");
      return replyOf(readFileSync(join(folder, "odd.token")));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return authority;
}

/** TimeStampResp: granted, with this token. */
function replyOf(token: Buffer): Buffer {
  const granted = new asn1js.Sequence({ value: [new asn1js.Integer({ value: 0 })] });
  const value = [granted, asn1js.fromBER(token).result];
  return Buffer.from(new asn1js.Sequence({ value }).toBER());
}

/** Whether `openssl ts -verify` accepts the reply for the file. */
export async function opensslAccepts(caFile: string, file: string, replyFile: string): Promise<boolean> {
  try {
    await run("openssl", ["ts", "-verify", "-data", file, "-in", replyFile, "-CAfile", caFile]);
    return true;
  } catch {
    return false;
  }
}
