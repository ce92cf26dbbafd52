/**
 * Decides, part by part, where the service finds what it needs: configured, found on the default port, started, embedded.
 * What it decided goes to the service in LASTRO_LAUNCHED, a JSON array of Part, so that the service prints one table.
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { explain } from "./prepare.mjs";

/**
 * @typedef {object} Part one row of the service's table
 * @property {"kafka" | "redis" | "store"} part
 * @property {string} where address, or folder
 * @property {string} what what it is and how it was found
 * @property {string} [fellBack] present only if something better was not to be had: what, and why
 * @property {string} [change] how to change it
 *
 * @typedef {import("./servers.mjs").RunningServer} RunningServer
 * @typedef {{ part: Part, env: Record<string, string>, server?: RunningServer }} Resolved
 *
 * @typedef {object} Surroundings what is asked of the machine, an argument so that decisions can be tested
 * @property {NodeJS.ProcessEnv} env
 * @property {string} dataDir
 * @property {(host: string, port: number) => Promise<boolean>} answers whether the expected server answers there
 * @property {(port: number) => Promise<boolean>} isFree
 * @property {(options: import("./servers.mjs").StartOptions) => Promise<RunningServer>} start
 * @property {(line: string) => void} log
 * @property {(pid: number) => void} spawned
 */

const host = "127.0.0.1";

/** An address without user, password and options, by the rule of withoutSecrets in src/lib. @param {string} address */
const withoutSecrets = (address) => {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:(?:\/\/)?)?(.*)$/is.exec(address) ?? [];
  return scheme + rest.slice(rest.lastIndexOf("@") + 1).replace(/[?#].*$/s, "") || "(hidden)";
};

/** What is shown of an address that was given; a secret may also be given as a file. @param {NodeJS.ProcessEnv} env @param {string} name */
const configured = (env, name) =>
  env[name] ? withoutSecrets(env[name]) : env[`${name}_FILE`] && `as ${env[`${name}_FILE`]} says`;

/**
 * @param {"kafka" | "redis"} part @param {string} name of the variable @param {number} defaultPort
 * @param {(address: string) => string} toValue @param {string} change @param {Surroundings} around
 * @returns {Promise<Resolved>}
 */
async function resolveServer(part, name, defaultPort, toValue, change, around) {
  const given = configured(around.env, name);
  if (given) return { part: { part, where: given, what: `configured by ${name}` }, env: {} };
  const where = `${host}:${defaultPort}`;
  if (await around.answers(host, defaultPort))
    return {
      part: { part, where, what: "found running on its default port", change },
      env: { [name]: toValue(where) },
    };
  const port = (await around.isFree(defaultPort)) ? defaultPort : undefined;
  const server = await around.start({
    dir: join(around.dataDir, part),
    port,
    log: around.log,
    spawned: around.spawned,
  });
  const started = { part, where: server.address, what: `${server.what}, started for you`, change };
  return { part: started, env: { [name]: toValue(server.address) }, server };
}

/** @param {Surroundings} around */
export const resolveKafka = (around) => {
  const change = "LASTRO_KAFKA_BROKERS=host:port uses another";
  return resolveServer("kafka", "LASTRO_KAFKA_BROKERS", 9092, (address) => address, change, around);
};

/** Redis only gives hints, so its absence makes duplicates slower to recognise, never wrong. @param {Surroundings} around
 * @returns {Promise<Resolved>} */
export const resolveRedis = (around) => {
  const change = "LASTRO_REDIS_URL=redis://host:port uses another";
  return resolveServer(
    "redis",
    "LASTRO_REDIS_URL",
    6379,
    (address) => `redis://${address}`,
    change,
    around,
  ).catch((error) => ({
    part: {
      part: "redis",
      where: "in the process",
      what: "a bounded map in memory",
      fellBack: `no Redis: ${explain(error)}`,
      change: "put redis-server on the PATH, or set LASTRO_REDIS_URL=redis://host:port",
    },
    env: {},
  }));
};

/** @param {Pick<Surroundings, "env" | "dataDir">} around @returns {Resolved} */
export const resolveStore = ({ env, dataDir }) => {
  const given = configured(env, "LASTRO_STORE_URL");
  if (given)
    return {
      part: { part: "store", where: given, what: "configured by LASTRO_STORE_URL" },
      env: {},
    };
  const file = join(dataDir, "lastro.db");
  return {
    part: {
      part: "store",
      where: file,
      what: "SQLite, embedded",
      change: "LASTRO_STORE_URL=mongodb://host:port/name uses MongoDB",
    },
    env: { LASTRO_STORE_URL: `sqlite:${file}` },
  };
};

/** @param {number} port @returns {Promise<boolean>} */
export const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
