/** Kafka Connect with the official MongoDB sink connector, in standalone mode: what `npm run bench` compares the service with. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, startServer } from "./child.mjs";
import { logging, mavenJars } from "./maven.mjs";
import { kafkaJars } from "./programs.mjs";

export const connectorVersion = "2.0.1";
/** The connector asks for any 4.7. */
const driverVersion = "4.7.2";
const host = "127.0.0.1";
const connector = "mongo-sink";

/** The jars of the worker, of the broker's version, and of the connector. @param {(line: string) => void} log */
export async function connectJars(log) {
  const { version } = await kafkaJars(log);
  const libs = await mavenJars(
    {
      entry: `kafka-connect-${version}-mongo-${connectorVersion}`,
      what: `Kafka Connect ${version} with the MongoDB connector ${connectorVersion}`,
      megabytes: 41,
      artifacts: [
        ["org.apache.kafka", "connect-runtime", version],
        ["org.apache.kafka", "connect-json", version],
        ["org.mongodb.kafka", "mongo-kafka-connect", connectorVersion],
        ["org.mongodb", "mongodb-driver-sync", driverVersion],
        logging,
      ],
    },
    log,
  );
  return { libs, version };
}

const logSettings = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n%throwable
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;

/** As the distribution's own example, but that a poll may take as many records as the driver sends at once.
 * @param {{ dir: string, brokers: string, port: number }} worker */
const workerProperties = ({ dir, brokers, port }) => `bootstrap.servers=${brokers}
listeners=http://${host}:${port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.storage.file.filename=${join(dir, "offsets")}
offset.flush.interval.ms=10000
plugin.discovery=service_load
consumer.max.poll.records=1000
`;

/** One insert for each record, under an id of the driver's: no look-up, and a record that is delivered again lies there twice.
 * @param {{ name: string, topic: string, tasks: number, mongoUrl: string, database: string, collection: string }} sink */
const sinkProperties = ({ name, topic, tasks, mongoUrl, database, collection }) => `name=${name}
connector.class=com.mongodb.kafka.connect.MongoSinkConnector
tasks.max=${tasks}
topics=${topic}
connection.uri=${mongoUrl}
database=${database}
collection=${collection}
writemodel.strategy=com.mongodb.kafka.connect.sink.writemodel.strategy.InsertOneDefaultStrategy
`;

/** Memory and collector as the distribution's own script sets them. */
const jvm = [
  "-Xms256m",
  "-Xmx2g",
  "-server",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
  "-XX:+ExplicitGCInvokesConcurrent",
  "-Djava.awt.headless=true",
];

/** @param {number} port @param {string} name @param {number} tasks */
const allRun = async (port, name, tasks) => {
  try {
    const answer = await fetch(`http://${host}:${port}/connectors/${name}/status`);
    const status = /** @type {{ tasks?: readonly { state: string }[] }} */ (await answer.json());
    return status.tasks?.filter(({ state }) => state === "RUNNING").length === tasks;
  } catch {
    return false;
  }
};

/**
 * Starts reading the topic from its beginning, in a group of its own.
 * @param {{ dir: string, brokers: string, topic: string, tasks: number, mongoUrl: string, database: string, collection: string,
 *           spawned?: (pid: number) => void, log?: (line: string) => void }} options
 */
export async function startConnect({ dir, brokers, spawned, log = () => {}, ...sink }) {
  const { libs } = await connectJars(log);
  const port = await freePort();
  mkdirSync(dir, { recursive: true });
  const name = `${connector}-${sink.topic}-${port}`;
  /** @param {string} file @param {string} text */
  const written = (file, text) => {
    writeFileSync(join(dir, file), text);
    return join(dir, file);
  };
  return startServer({
    name: "Kafka Connect",
    command: "java",
    args: [
      ...jvm,
      `-Dlog4j2.configurationFile=${written("log4j2.properties", logSettings)}`,
      "-cp",
      join(libs, "*"),
      "org.apache.kafka.connect.cli.ConnectStandalone",
      written("worker.properties", workerProperties({ dir, brokers, port })),
      written("sink.properties", sinkProperties({ name, ...sink })),
    ],
    logFile: join(dir, "connect.log"),
    ready: () => allRun(port, name, sink.tasks),
    ...(spawned && { spawned }),
    readyMsMax: 90_000,
    stopMsMax: 20_000,
  });
}
