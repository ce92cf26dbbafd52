/** Where the tests find the servers that `npm test` starts; a missing one fails the test, it never skips it. */
export { type RunningServer, startKafka, startMongo, startRedis } from "../../deploy/local/servers.mjs";

function started(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: run \`npm test\`, which starts the server and sets it`);
}

export const kafkaBrokers = (): string[] => started("LASTRO_TEST_KAFKA_BROKERS").split(",");
export const redisUrl = (): string => started("LASTRO_TEST_REDIS_URL");
export const mongoUrl = (): string => started("LASTRO_TEST_MONGODB_URL");
