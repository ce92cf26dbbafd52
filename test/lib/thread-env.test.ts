import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { temporaryFolder } from "../support/sqlite.ts";

const threadEnv = new URL("../../src/lib/thread-env.ts", import.meta.url);
const program = `
  const { Worker } = await import("node:worker_threads");
  const { threadEnv } = await import(${JSON.stringify(threadEnv)});
  const tell = 'import("node:worker_threads").then(({ parentPort }) => parentPort.postMessage({ ...process.env }))';
  new Worker(tell, { eval: true, env: threadEnv() }).once("message", (env) => console.log(JSON.stringify(env)));`;

const envInThread = (env: Readonly<Record<string, string>>): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" }),
  );

test("a thread learns nothing of the environment but where compiled code is kept", () => {
  using folder = temporaryFolder();
  const compiled = join(folder.path, "compiled");
  expect(envInThread({ LASTRO_REDIS_URL: "secret", NODE_COMPILE_CACHE: compiled })).toEqual({
    NODE_COMPILE_CACHE: compiled,
  });
});

test("a thread's environment is empty where no compiled code is kept", () => {
  expect(envInThread({ LASTRO_REDIS_URL: "secret" })).toEqual({});
});
