import { describe, expect, test } from "@jest/globals";
import { CliFailure, exitCodes, exitOf } from "../../src/cli/failure.ts";
import { LastroError } from "../../src/core/errors.ts";
import { runLastro } from "../support/run-cli.ts";

describe("the lastro command", () => {
  test("help goes to standard output, begins with examples, ends with the exit codes, and is no error", async () => {
    const { code, out, err } = await runLastro("--help");
    expect(code).toBe(0);
    expect(out).toMatch(/^Examples:\n {2}\$ lastro /);
    expect(out).toMatch(/Exit codes: 0 ok, .* 7 search aids differ\n$/);
    expect(err).toBe("");
  });

  test.each([["--jsn"], ["--help=x"]])(
    "a wrong option (%s) is told on standard error and ends with 2",
    async (option) => {
      const { code, out, err } = await runLastro(option);
      expect(code).toBe(2);
      expect(out).toBe("");
      expect(err).toMatch(/^error: /);
      expect(err).toContain("--help");
    },
  );
});

describe("exit codes", () => {
  test("are the closed table that scripts rely on", () => {
    expect(exitCodes).toEqual({
      ok: 0,
      error: 1,
      usage: 2,
      notFound: 3,
      verificationFailed: 4,
      unavailable: 5,
      incomplete: 6,
      repairable: 7,
    });
  });

  test.each([
    [new LastroError("NOT_FOUND", "no such record"), "notFound"],
    [new LastroError("INVALID_ARGUMENT", "no rid"), "usage"],
    [new LastroError("CONFIG_INVALID", "no such variable"), "usage"],
    [new LastroError("STORE_UNAVAILABLE", "no answer"), "unavailable"],
    [new LastroError("LOG_HALTED", "halted"), "error"],
    [new CliFailure("verificationFailed", "broken"), "verificationFailed"],
    [new Error("whatever"), "error"],
  ] as const)("%s ends as %s", (error, name) => {
    expect(exitOf(error)).toBe(name);
  });
});
