import { expect, test } from "@jest/globals";
import { configVariables } from "../../src/config.ts";
import { runLastroWith } from "../support/run-cli.ts";

const check = (env: Readonly<Record<string, string>>) => runLastroWith({ env }, "config", "check");

test("config check shows every setting, where it comes from, and no secret", async () => {
  const { code, out, err } = await check({ LASTRO_REDIS_URL: "redis://:hunter2@cache:6379" });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const lines = out.trimEnd().split("\n");
  expect(lines.map((line) => line.split("=")[0])).toEqual(configVariables.map(({ name }) => name));
  expect(lines).toContain("LASTRO_REDIS_URL=redis://cache:6379  (environment)");
  expect(lines).toContain("LASTRO_BATCH_SIZE_MAX=2000  (default)");
  expect(out).not.toContain("hunter2");
});

test("config check tells all that is wrong at once, and ends with 2", async () => {
  const { code, out, err } = await check({ LASTRO_BATCH_SIZE: "1", LASTRO_GRPC_ADDRESS: "nowhere" });
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("did you mean LASTRO_BATCH_SIZE_MAX?");
  expect(err).toContain("LASTRO_GRPC_ADDRESS");
});
