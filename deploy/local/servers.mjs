/** Starts real Kafka, Redis and MongoDB-protocol servers on loopback, for `npm start`, `npm test` and the fault tests. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, mustRun, startServer } from "./child.mjs";
import { answersAsKafka, answersAsMongo, answersAsRedis, answersAsVault } from "./probes.mjs";
import { ferretdbProgram, findProgram, kafkaJars, redisProgram, vaultProgram } from "./programs.mjs";

/**
 * @typedef {object} StartOptions
 * @property {string} dir data, settings and the log file; started again on the same folder and port, it has everything
 * @property {number | undefined} [port] a free one unless given
 * @property {(line: string) => void} [log] hears about downloads
 * @property {(pid: number) => void} [spawned] hears of the process before it answers
 *
 * @typedef {object} RunningServer
 * @property {string} url as the variable of the service takes it
 * @property {string} address host:port
 * @property {number} port
 * @property {string} what for people
 * @property {boolean} owned started here, so stopped here
 * @property {number} pid
 * @property {Promise<number | null>} exited
 * @property {() => Promise<void>} stop
 * @property {(signal: NodeJS.Signals) => void} kill
 */

const host = "127.0.0.1";
const silent = () => {};

const kafkaLogging = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;

/**
 * @typedef {object} Proxied a listener more, which tells clients to come to the port of a proxy
 * @property {number} port
 * @property {number} proxyPort
 * @property {string} [proxyHost]
 */

/**
 * @typedef {object} Secured two listeners more: `tls` asks clients for a certificate, `sasl` for the user's password, over TLS too
 * @property {{ tls: number, sasl: number }} ports
 * @property {string} certFile PEM, and that of its key
 * @property {string} keyFile
 * @property {string} caFile of clients
 * @property {{ name: string, password: string }} user
 */

/** @param {string} dir @param {Secured} secured */
function securedProperties(dir, { certFile, keyFile, caFile, user: { name, password } }) {
  const keyStore = join(dir, "listener.pem");
  writeFileSync(keyStore, readFileSync(keyFile, "utf8") + readFileSync(certFile, "utf8"), { mode: 0o600 });
  const login = "org.apache.kafka.common.security";
  return `ssl.keystore.type=PEM
ssl.keystore.location=${keyStore}
ssl.truststore.type=PEM
ssl.truststore.location=${caFile}
listener.name.tls.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=${login}.plain.PlainLoginModule required user_${name}="${password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config=${login}.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=${login}.scram.ScramLoginModule required;
`;
}

/** @param {Secured | undefined} secured */
const securedListeners = (secured) =>
  secured === undefined ? "" : `,TLS://${host}:${secured.ports.tls},SASL://${host}:${secured.ports.sasl}`;

/** @param {Secured | undefined} secured */
const scramUser = (secured) =>
  secured === undefined
    ? []
    : ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
        "--add-scram",
        `${mechanism}=[name=${secured.user.name},password=${secured.user.password}]`,
      ]);

/** One broker that is also its controller. Topics are made by the service, so none appears by a misspelt name.
 * @param {string} dir @param {number} port @param {number} controllerPort @param {readonly Proxied[]} proxied @param {Secured | undefined} secured */
const kafkaProperties = (dir, port, controllerPort, proxied, secured) => `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@${host}:${controllerPort}
listeners=PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}${proxied.map(({ port }, at) => `,PROXIED${at}://${host}:${port}`).join("")}${securedListeners(secured)}
advertised.listeners=PLAINTEXT://${host}:${port}${proxied.map(({ proxyPort, proxyHost = host }, at) => `,PROXIED${at}://${proxyHost}:${proxyPort}`).join("")}${securedListeners(secured)}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${proxied.map((_, at) => `,PROXIED${at}:PLAINTEXT`).join("")},TLS:SSL,SASL:SASL_SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(dir, "logs")}
auto.create.topics.enable=false
message.max.bytes=5242880
replica.fetch.max.bytes=5242880
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
controlled.shutdown.enable=false
${secured === undefined ? "" : securedProperties(dir, secured)}`;

/** @param {StartOptions & { proxied?: readonly Proxied[], secured?: Secured }} options @returns {Promise<RunningServer>} */
export async function startKafka({ dir, port, proxied = [], secured, spawned = silent, log = silent }) {
  const { libs, version, from } = await kafkaJars(log);
  const brokerPort = port ?? (await freePort());
  mkdirSync(dir, { recursive: true });
  const properties = join(dir, "server.properties");
  const logging = join(dir, "log4j2.properties");
  writeFileSync(properties, kafkaProperties(dir, brokerPort, await freePort(), proxied, secured));
  writeFileSync(logging, kafkaLogging);
  const java = [`-Dlog4j2.configurationFile=${logging}`, "-cp", join(libs, "*")];
  if (!existsSync(join(dir, "logs", "meta.properties"))) {
    const cluster = randomBytes(16).toString("base64url");
    await mustRun("java", [
      ...java,
      "kafka.tools.StorageTool",
      "format",
      `--cluster-id=${cluster}`,
      "--config",
      properties,
      ...scramUser(secured),
    ]);
  }
  const server = await startServer({
    name: "Kafka",
    command: "java",
    args: [
      "-Xmx512m",
      "-Xms256m",
      "-XX:+UseG1GC",
      "-Djava.awt.headless=true",
      ...java,
      "kafka.Kafka",
      properties,
    ],
    logFile: join(dir, "kafka.log"),
    ready: () => answersAsKafka(host, brokerPort),
    spawned,
    readyMsMax: 90_000,
    stopMsMax: 20_000,
  });
  const address = `${host}:${brokerPort}`;
  return {
    ...server,
    url: address,
    address,
    port: brokerPort,
    owned: true,
    what: `Apache Kafka ${version}, KRaft (${from})`,
  };
}

/** @param {StartOptions & { appendonly?: boolean, more?: readonly string[] }} options `more`: arguments of redis-server @returns {Promise<RunningServer>} */
export async function startRedis({
  dir,
  port,
  spawned = silent,
  log = silent,
  appendonly = false,
  more = [],
}) {
  const { program, from } = await redisProgram(log);
  const redisPort = port ?? (await freePort());
  mkdirSync(dir, { recursive: true });
  const server = await startServer({
    name: "Redis",
    command: program,
    args: [
      "--port",
      `${redisPort}`,
      "--bind",
      host,
      "--dir",
      dir,
      "--save",
      "",
      "--appendonly",
      appendonly ? "yes" : "no",
      ...more,
    ],
    logFile: join(dir, "redis.log"),
    ready: () => answersAsRedis(host, redisPort),
    spawned,
    readyMsMax: 20_000,
    stopMsMax: 10_000,
  });
  const address = `${host}:${redisPort}`;
  return {
    ...server,
    url: `redis://${address}`,
    address,
    port: redisPort,
    owned: true,
    what: `Redis (${from})`,
  };
}

/** A replica set of one, as in production: only then does mongod accept retryable writes. @param {string} url */
async function initiateReplicaSet(url) {
  const { MongoClient } = await import("mongodb");
  const client = await MongoClient.connect(`${url}/?directConnection=true`);
  try {
    const members = [{ _id: 0, host: new URL(url).host }];
    await client
      .db("admin")
      .command({ replSetInitiate: { _id: "lastro", members } })
      .catch((error) => {
        if (error.codeName !== "AlreadyInitialized") throw error;
      });
    while (!(await client.db("admin").command({ hello: 1 }))["isWritablePrimary"])
      await new Promise((resolve) => setTimeout(resolve, 100));
  } finally {
    await client.close();
  }
}

/** For tests: mongod, else FerretDB. @param {StartOptions} options
 * @returns {Promise<RunningServer>} */
export async function startMongo({ dir, port, spawned = silent, log = silent }) {
  const mongoPort = port ?? (await freePort());
  mkdirSync(dir, { recursive: true });
  const address = `${host}:${mongoPort}`;
  const mongod = findProgram("mongod");
  const server = await startServer({
    name: mongod ? "MongoDB" : "FerretDB",
    ...(mongod
      ? {
          command: mongod,
          args: ["--dbpath", dir, "--port", `${mongoPort}`, "--bind_ip", host, "--replSet", "lastro"],
        }
      : { command: await ferretdbProgram(log), args: [address, dir] }),
    logFile: join(dir, "mongo.log"),
    ready: () => answersAsMongo(host, mongoPort),
    spawned,
    readyMsMax: 60_000,
    stopMsMax: 10_000,
  });
  const url = `mongodb://${address}`;
  if (mongod) await initiateReplicaSet(url);
  const what = mongod ? `MongoDB (${mongod})` : "FerretDB 1.24.0 on SQLite (Go module proxy)";
  return {
    ...server,
    url: mongod ? `${url}/?replicaSet=lastro` : url,
    address,
    port: mongoPort,
    owned: true,
    what,
  };
}

/** A Vault for tests, which forgets everything when it ends. @param {StartOptions & { rootToken: string }} options @returns {Promise<RunningServer>} */
export async function startVault({ dir, port, rootToken, spawned = silent, log = silent }) {
  const vaultPort = port ?? (await freePort());
  mkdirSync(dir, { recursive: true });
  const address = `${host}:${vaultPort}`;
  const { program, from } = await vaultProgram(log);
  const server = await startServer({
    name: "Vault",
    command: program,
    args: [
      "server",
      "-dev",
      "-dev-no-store-token",
      `-dev-root-token-id=${rootToken}`,
      `-dev-listen-address=${address}`,
    ],
    logFile: join(dir, "vault.log"),
    ready: () => answersAsVault(host, vaultPort),
    spawned,
    readyMsMax: 60_000,
    stopMsMax: 10_000,
  });
  return {
    ...server,
    url: `http://${address}`,
    address,
    port: vaultPort,
    owned: true,
    what: `Vault (${from})`,
  };
}
