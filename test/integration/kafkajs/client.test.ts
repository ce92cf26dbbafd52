/** kafkajs runs on today's Node without warnings: looked at in a process of its own, as the service runs. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { kafkaBrokers } from "../../support/servers.ts";

const client = new URL("../../../src/adapters/kafkajs/client.ts", import.meta.url).href;

async function warningsOf(openKafka: string): Promise<string> {
  const script = `
    ${openKafka}
    const producer = kafka.producer({ allowAutoTopicCreation: false, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await producer.disconnect();`;
  const args = ["--input-type=module", "-e", `import kafkajs from "kafkajs"; ${script}`];
  const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: process.cwd() });
  return stderr;
}

test("kafkajs's timer fault is mended: no TimeoutNegativeWarning, where the bare client prints one", async () => {
  const brokers = JSON.stringify(kafkaBrokers());
  const mended = `import { openClient } from ${JSON.stringify(client)};
    const log = { info() {}, warn() {}, error() {} };
    const kafka = openClient({ brokers: ${brokers}, clientId: "t", log });`;
  const bare = `const kafka = new kafkajs.Kafka({ brokers: ${brokers}, logLevel: kafkajs.logLevel.NOTHING });`;
  expect(await warningsOf(bare)).toContain("TimeoutNegativeWarning");
  expect(await warningsOf(mended)).not.toContain("Warning");
});
