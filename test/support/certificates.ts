/** Authorities of the tests' own and certificates signed by them, made by OpenSSL. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type Certificate = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
};
export type CertificateAuthority = Disposable & {
  readonly folder: string;
  readonly caFile: string;
  readonly ca: string;
  /** `san` as OpenSSL writes it, such as `IP:127.0.0.1,DNS:localhost`; none unless given. Yesterday it was valid when `expired`. */
  certify(name: string, options?: { readonly san?: string; readonly expired?: true }): Promise<Certificate>;
};

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
const settings = `
[ca]
default_ca = own
[own]
database = ./index
serial = ./serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
`;

/** Where tests listen. */
export const loopbackSan = "IP:127.0.0.1,DNS:localhost";

export async function openAuthority(name = "root.test"): Promise<CertificateAuthority> {
  const folder = mkdtempSync(join(tmpdir(), "lastro-ca-"));
  const openssl = (...args: readonly string[]) => run("openssl", args, { cwd: folder });
  const at = (file: string): string => join(folder, file);
  writeFileSync(at("ca.cnf"), settings);
  writeFileSync(at("index"), "");
  writeFileSync(at("serial"), "01\n");
  await openssl("req", "-x509", ...newKey, "ca.key", "-out", "ca.pem", "-days", "2", "-subj", `/CN=${name}`);
  return {
    folder,
    caFile: at("ca.pem"),
    ca: readFileSync(at("ca.pem"), "utf8"),
    async certify(subject, { san, expired } = {}) {
      const extensions = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"];
      writeFileSync(
        at(`${subject}.cnf`),
        [...extensions, ...(san === undefined ? [] : [`subjectAltName=${san}`])].join("\n"),
      );
      await openssl("req", ...newKey, `${subject}.key`, "-out", `${subject}.csr`, "-subj", `/CN=${subject}`);
      const period = expired
        ? ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]
        : ["-days", "2"];
      const by = ["-cert", "ca.pem", "-keyfile", "ca.key", "-extfile", `${subject}.cnf`];
      const files = ["-in", `${subject}.csr`, "-out", `${subject}.pem`, "-notext"];
      await openssl("ca", "-batch", "-config", "ca.cnf", ...by, ...period, ...files);
      const [certFile, keyFile] = [at(`${subject}.pem`), at(`${subject}.key`)];
      return {
        certFile,
        keyFile,
        cert: readFileSync(certFile, "utf8"),
        key: readFileSync(keyFile, "utf8"),
      };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
