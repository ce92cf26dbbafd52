/** A real Keycloak with Lastro's realm, for tests; it keeps everything in memory. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, mustRun, startServer } from "./child.mjs";
import { mavenArchive } from "./maven.mjs";

const version = "26.4.5";
const host = "127.0.0.1";
const realms = fileURLToPath(new URL("../keycloak", import.meta.url));
const heap = { JAVA_OPTS_KC_HEAP: "-Xms128m -Xmx512m" };

/** @param {string} dir */
const home = (dir) => join(dir, `keycloak-${version}`);

/** Built for its database once: a start then takes seconds. @param {(line: string) => void} log */
const distribution = (log) =>
  mavenArchive(
    {
      entry: `keycloak-${version}`,
      what: `Keycloak ${version}`,
      megabytes: 150,
      artifact: ["org.keycloak", "keycloak-quarkus-dist", version],
      prepare: (dir) =>
        mustRun("sh", [join(home(dir), "bin", "kc.sh"), "build", "--db=dev-mem"], { env: heap }),
    },
    log,
  );

/** @param {string} url */
const answers = (url) =>
  fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );

/**
 * @param {{ dir: string, admin: { name: string, password: string }, log?: (line: string) => void }} options
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startKeycloak({ dir, admin, log = () => {} }) {
  const port = await freePort();
  const url = `http://${host}:${port}`;
  // Its folder holds what it writes while it runs.
  cpSync(home(await distribution(log)), dir, { recursive: true });
  mkdirSync(join(dir, "data"), { recursive: true });
  cpSync(realms, join(dir, "data", "import"), {
    recursive: true,
    filter: (path) => path === realms || path.endsWith("-realm.json"),
  });
  const server = await startServer({
    name: "Keycloak",
    command: "sh",
    args: [
      join(dir, "bin", "kc.sh"),
      ...["start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--import-realm"],
      ...[`--http-host=${host}`, `--http-port=${port}`],
    ],
    env: { ...heap, KC_BOOTSTRAP_ADMIN_USERNAME: admin.name, KC_BOOTSTRAP_ADMIN_PASSWORD: admin.password },
    logFile: join(dir, "keycloak.log"),
    ready: () => answers(`${url}/realms/lastro/.well-known/openid-configuration`),
    readyMsMax: 120_000,
    stopMsMax: 15_000,
  });
  return { url, stop: server.stop };
}
