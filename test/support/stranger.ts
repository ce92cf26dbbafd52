/** A member of a consumer group who shares the partitions out by a protocol of its own: nobody else can be in the group with it. */
import kafkajs, { type PartitionAssigner } from "kafkajs";
import { openClient } from "../../src/adapters/kafkajs/client.ts";
import { silentLog } from "./intake.ts";
import { kafkaBrokers } from "./servers.ts";

const name = "Strange";
const strangely: PartitionAssigner = (config) => {
  const assigner = kafkajs.PartitionAssigners.roundRobin(config);
  return { ...assigner, name, protocol: (of) => ({ ...assigner.protocol(of), name }) };
};

/** Resolves once it is in. */
export async function joinAsStranger(topic: string, groupId: string): Promise<AsyncDisposable> {
  const client = openClient({ brokers: kafkaBrokers(), clientId: "lastro-stranger", log: silentLog });
  const consumer = client.consumer({ groupId, partitionAssigners: [strangely] });
  const joined = new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  });
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: async () => undefined });
  await joined;
  return { [Symbol.asyncDispose]: () => consumer.disconnect() };
}
