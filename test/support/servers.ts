/** Where the tests find the servers that `npm test` starts, and the programs that it finds; a missing one fails the test, it never skips it. */
export { type RunningServer, startKafka, startMongo, startRedis } from "../../deploy/local/servers.mjs";

function started(name: string, how = "run `npm test`, which starts the server and sets it"): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: ${how}`);
}

/** The program of a Chromium. */
export const chromium = (): string =>
  started(
    "LASTRO_TEST_CHROMIUM",
    "run `npm test`, which finds it on the PATH; on Debian as root: apt-get install chromium",
  );
/** The program promtool of Prometheus. */
export const promtool = (): string =>
  started(
    "LASTRO_TEST_PROMTOOL",
    "run `npm test`, which finds it on the PATH; on Debian as root: apt-get install prometheus",
  );
/** The Python of an environment that has schemathesis. */
export const schemathesisPython = (): string =>
  started(
    "LASTRO_TEST_SCHEMATHESIS",
    "run `npm test`, which installs it from PyPI; on Debian as root: apt-get install python3-venv",
  );
export const kafkaBrokers = (): string[] => started("LASTRO_TEST_KAFKA_BROKERS").split(",");
export const redisUrl = (): string => started("LASTRO_TEST_REDIS_URL");
export const mongoUrl = (): string => started("LASTRO_TEST_MONGODB_URL");
