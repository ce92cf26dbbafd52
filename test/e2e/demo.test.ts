/** The demo against the service as users start it: publishes through Kafka, asks over gRPC, and must find that all adds up. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { freePort, type LastroProcess, startLastro } from "../support/lastro.ts";
import { kafkaBrokers } from "../support/servers.ts";

const main = fileURLToPath(new URL("../../src/demo/main.ts", import.meta.url));
const topic = `demo-${randomBytes(4).toString("hex")}`;
const dataDir = mkdtempSync(join(tmpdir(), "lastro-demo-"));
const kafka = { LASTRO_KAFKA_BROKERS: kafkaBrokers().join(","), LASTRO_KAFKA_TOPIC: topic };
const startMsMax = 90_000;
const runMsMax = 120_000;
let lastro: LastroProcess;

beforeAll(async () => {
  lastro = await startLastro({
    env: {
      ...kafka,
      LASTRO_DATA_DIR: dataDir,
      LASTRO_KAFKA_DLQ_TOPIC: `${topic}.dlq`,
      LASTRO_LOG_LEVEL: "warn",
    },
  });
}, startMsMax);

afterAll(async () => {
  await lastro?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function runDemo(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    env: { PATH: process.env["PATH"] ?? "", LASTRO_DATA_DIR: dataDir, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

test(
  "the demo's 2,000 messages have 2,000 outcomes, each as promised",
  async () => {
    const { code, stdout, stderr } = await runDemo(
      { ...kafka, LASTRO_GRPC_ADDRESS: lastro.grpcAddress },
      "--json",
    );
    expect({ code, stderr: stderr.split("\n").filter((line) => !/^published/.test(line)) }).toEqual({
      code: 0,
      stderr: [""],
    });
    const said = JSON.parse(stdout);
    expect(said.outcomes).toEqual({ stored: 1897, duplicate: 62, conflict: 1, rejected: 40, gap: 0 });
    expect(said.deadLetters).toHaveLength(41);
    expect(new Set(said.deadLetters.map(({ reason }: { reason: string }) => reason)).size).toBe(13);
    expect(said.history.map(({ action }: { action: string }) => action)).toEqual([
      "new", "update", "disable", "enable", "update",
    ]); // biome-ignore format: a list
    expect(said.checks.filter(({ agrees }: { agrees: boolean }) => !agrees)).toEqual([]);
  },
  runMsMax,
);

test(
  "a second run is new data, and its tables have no colour where nobody sees it",
  async () => {
    const { code, stdout } = await runDemo({ ...kafka, LASTRO_GRPC_ADDRESS: lastro.grpcAddress });
    expect(code).toBe(0);
    expect(stdout).toContain("1,897");
    expect(stdout).toContain("AMBIGUOUS_OWNER");
    expect(stdout).not.toContain("\u001b[");
  },
  runMsMax,
);

test("without a service the demo says what to start, with exit code 5", async () => {
  const { code, stdout, stderr } = await runDemo({
    ...kafka,
    LASTRO_GRPC_ADDRESS: `127.0.0.1:${await freePort()}`,
  });
  expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  expect(stderr).toContain("run `npm start` first");
}, 30_000);

test("without its Kafka the demo says what to start, with exit code 5", async () => {
  const { code, stdout, stderr } = await runDemo({
    LASTRO_KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
    LASTRO_GRPC_ADDRESS: lastro.grpcAddress,
  });
  expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  expect(stderr).toContain("run `npm start` first");
}, 60_000);
