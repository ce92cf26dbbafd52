/** Makes the topics if asked to, and refuses ones in which events or dead letters would get lost. Never alters a topic that is there. */
import kafkajs, { type Admin } from "kafkajs";
import { LastroError } from "../../core/errors.ts";
import { sleep } from "../../lib/backoff.ts";
import { deadLetterBytesMin } from "../../ports/dead-letters.ts";
import { type ClientOptions, openClient } from "./client.ts";

const auditPartitions = 6;
const auditMessageBytesMax = 4 * 1024 * 1024;
const leaderLooksMax = 300;
const leaderLookPauseMs = 100;

type TopicsOptions = ClientOptions & {
  readonly topic: string;
  readonly deadLetterTopic: string;
  /** Whether absent topics are made; otherwise they are refused with the command that makes them. */
  readonly create: boolean;
};

type Settings = { readonly cleanupPolicy: string; readonly messageBytesMax: number };

/** Throws TOPIC_UNSUITABLE with the command that mends it, SOURCE_UNAVAILABLE when Kafka does not answer. Returns the topics it made. */
export async function prepareTopics(
  options: TopicsOptions,
): Promise<{ readonly created: readonly string[] }> {
  const admin = openClient(options).admin();
  try {
    await admin.connect();
    const made = await makeIfAbsent(admin, options, options.topic, settings(auditMessageBytesMax));
    const audit = await settingsOf(admin, options.topic);
    requireDelete(options, options.topic, audit);
    const deadLetterBytes = audit.messageBytesMax + deadLetterBytesMin;
    const wanted = [...settings(deadLetterBytes), brokerStamps];
    const madeToo = await makeIfAbsent(admin, options, options.deadLetterTopic, wanted);
    const deadLetters = await settingsOf(admin, options.deadLetterTopic);
    requireDelete(options, options.deadLetterTopic, deadLetters);
    if (deadLetters.messageBytesMax < deadLetterBytes) {
      const why = `holds messages of ${deadLetters.messageBytesMax} bytes, but dead letters of ${options.topic} need ${deadLetterBytes}`;
      throw unsuitable(
        options.deadLetterTopic,
        why,
        alter(options, options.deadLetterTopic, `max.message.bytes=${deadLetterBytes}`),
      );
    }
    return { created: [...made, ...madeToo] };
  } catch (cause) {
    if (cause instanceof LastroError) throw cause;
    const message = `Kafka at ${options.brokers.join(",")} did not answer about its topics: check the addresses and that the broker runs`;
    throw new LastroError("SOURCE_UNAVAILABLE", message, { cause });
  } finally {
    await admin.disconnect();
  }
}

type Setting = { readonly name: string; readonly value: string };

const settings = (messageBytes: number): readonly Setting[] => [
  { name: "cleanup.policy", value: "delete" },
  { name: "max.message.bytes", value: String(messageBytes) },
];

/** A broker refuses what is stamped an hour ahead of its own clock: a service whose clock is wrong could send no dead letter. */
const brokerStamps: Setting = { name: "message.timestamp.type", value: "LogAppendTime" };

async function makeIfAbsent(
  admin: Admin,
  options: TopicsOptions,
  topic: string,
  wanted: readonly Setting[],
): Promise<string[]> {
  if ((await admin.listTopics()).includes(topic)) return [];
  if (!options.create) {
    const configs = wanted.map(({ name, value }) => `--config ${name}=${value}`).join(" ");
    const command = `kafka-topics.sh --bootstrap-server ${options.brokers[0]} --create --topic ${topic} --partitions ${auditPartitions} ${configs}`;
    throw unsuitable(topic, "does not exist", command);
  }
  const made = await admin.createTopics({
    topics: [{ topic, numPartitions: auditPartitions, configEntries: [...wanted] }],
    waitForLeaders: false,
  });
  await untilLed(admin, topic);
  return made ? [topic] : [];
}

/** A broker that has just made a topic may for a while not know it; kafkajs's own wait takes that for an error. */
export async function untilLed(admin: Admin, topic: string): Promise<void> {
  for (let look = 1; look <= leaderLooksMax; look++) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics[0]?.partitions.every(({ leader }) => leader >= 0)) return;
    } catch (error) {
      if (!isNotYetThere(error)) throw error;
    }
    await sleep(leaderLookPauseMs, neverAborted);
  }
  throw new LastroError("SOURCE_UNAVAILABLE", `${topic} was made, but its partitions have no leaders`);
}

const neverAborted = new AbortController().signal;

const isNotYetThere = (error: unknown): boolean =>
  error instanceof Error &&
  "type" in error &&
  (error.type === "UNKNOWN_TOPIC_OR_PARTITION" || error.type === "LEADER_NOT_AVAILABLE");

async function settingsOf(admin: Admin, topic: string): Promise<Settings> {
  const configNames = ["cleanup.policy", "max.message.bytes"];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
  });
  const entries = new Map(resources[0]?.configEntries.map((one) => [one.configName, one.configValue]));
  return {
    cleanupPolicy: entries.get("cleanup.policy") ?? "",
    messageBytesMax: Number(entries.get("max.message.bytes")),
  };
}

function requireDelete(options: TopicsOptions, topic: string, { cleanupPolicy }: Settings): void {
  if (cleanupPolicy === "delete") return;
  const why = `has cleanup.policy=${cleanupPolicy}, under which Kafka removes events that others of the same key follow`;
  throw unsuitable(topic, why, alter(options, topic, "cleanup.policy=delete"));
}

const alter = (options: TopicsOptions, topic: string, setting: string): string =>
  `kafka-configs.sh --bootstrap-server ${options.brokers[0]} --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`;

const unsuitable = (topic: string, why: string, command: string): LastroError =>
  new LastroError("TOPIC_UNSUITABLE", `the topic ${topic} ${why}. Mend it with: ${command}`);
