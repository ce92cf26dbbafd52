/** What a user would otherwise write: eachMessage, JSON.parse, zod, Redis SET NX, one insert, commit. It loses events: SET NX comes before the insert. */
import { DatabaseSync } from "node:sqlite";
import { Redis } from "ioredis";
import { Kafka, logLevel } from "kafkajs";
import { z } from "zod";

const [brokers, redisUrl, topic, path, commits, countText] = process.argv.slice(2);
if (!brokers || !redisUrl || !topic || !path || !countText) {
  throw new Error("usage: naive BROKERS REDIS_URL TOPIC DATABASE auto|each COUNT");
}
const count = Number(countText);
const commitEach = commits === "each";

const text = z.string().min(1);
const Envelope = z.object({
  producer_service: text,
  producer_service_id: text,
  trace_id: text,
  timestamp: z.iso.datetime(),
  event_type: text,
  payload: z.record(z.string(), z.unknown()),
  metadata: z.object({
    event_id: text,
    event_schema_version: text,
    user_id: text,
    user_role: text,
    user_ip: text,
    ownership_id: text,
  }),
});

const database = new DatabaseSync(path);
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE events (id INTEGER PRIMARY KEY, event_id TEXT UNIQUE, event_type TEXT, owner_id TEXT, ownership_id TEXT, at TEXT, payload TEXT);
  CREATE INDEX by_owner ON events (owner_id, at); CREATE INDEX by_ownership ON events (ownership_id, at);`);
const insert = database.prepare(
  "INSERT INTO events (event_id, event_type, owner_id, ownership_id, at, payload) VALUES (?, ?, ?, ?, ?, ?)",
);

const redis = new Redis(redisUrl);
const prefix = `naive:${process.pid}:`;
const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `naive-${process.pid}` });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });

let done = 0;
let startedMs = 0;
await consumer.run({
  autoCommit: !commitEach,
  eachMessage: async ({ partition, message }) => {
    startedMs ||= performance.now();
    const event = Envelope.parse(JSON.parse(message.value?.toString() ?? ""));
    const id = `${event.producer_service}:${event.metadata.event_id}`;
    const isNew = await redis.set(prefix + id, "1", "EX", 3600, "NX");
    if (isNew !== null) {
      insert.run(
        id,
        event.event_type,
        event.metadata.user_id,
        event.metadata.ownership_id,
        event.timestamp,
        JSON.stringify(event.payload),
      );
    }
    if (commitEach) {
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }]);
    }
    done += 1;
    if (done === count) finish();
  },
});

function finish(): void {
  const seconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(`${JSON.stringify({ events: done, seconds })}\n`);
  process.exit(0);
}
