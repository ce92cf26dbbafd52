/** What leaves the adapter when the driver throws. */
import { describe, expect, test } from "@jest/globals";
import { MongoBulkWriteError, MongoServerError } from "mongodb";
import { verdictOf } from "../../../src/adapters/mongo/append.ts";
import { guarded, isOnlyTaken, storeError } from "../../../src/adapters/mongo/errors.ts";

type Reply = { readonly codes: readonly number[]; readonly concernFailed?: boolean };
function bulkError({ codes, concernFailed = false }: Reply): MongoBulkWriteError {
  const writeErrors = codes.map((code, i) => ({ code, index: i + 3, errmsg: "secret" }));
  const result = { getWriteConcernError: () => (concernFailed ? { code: 64 } : undefined) };
  const error = new MongoBulkWriteError({ message: "secret", code: codes[0] ?? 64 }, result as never);
  return Object.assign(error, { writeErrors });
}

describe("errors of the MongoDB adapter", () => {
  test("only a lone write error tells where an insert ended; anything else is of unknown effect", () => {
    expect(verdictOf(bulkError({ codes: [11_000] }))).toEqual({ kind: "clash", at: 3 });
    expect(verdictOf(bulkError({ codes: [121] }))).toMatchObject({ kind: "refused", at: 3 });
    for (const reply of [
      { codes: [11_000], concernFailed: true },
      { codes: [] },
      { codes: [189] },
      { codes: [13] },
    ]) {
      expect(() => verdictOf(bulkError(reply))).toThrow(MongoBulkWriteError);
    }
  });

  test("a taken key is forgiven only when nothing else went wrong", () => {
    expect(isOnlyTaken(bulkError({ codes: [11_000, 11_000] }))).toBe(true);
    for (const reply of [{ codes: [11_000, 2] }, { codes: [11_000], concernFailed: true }, { codes: [] }]) {
      expect(isOnlyTaken(bulkError(reply))).toBe(false);
    }
  });

  test("a server's text, which quotes documents, never leaves; its code does", () => {
    const error = storeError(
      "append",
      new MongoServerError({ message: "dup key: secret", code: 91, codeName: "ShutdownInProgress" }),
    );
    expect(error).toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("91 ShutdownInProgress"),
    });
    expect(
      JSON.stringify([error.message, error.cause, storeError("a", bulkError({ codes: [2] })).message]),
    ).not.toContain("secret");
  });

  test("running out of time ends a read of history and is waited out by intake; what is unknown never stops intake", async () => {
    const outOfTime = new MongoServerError({ message: "", code: 50 });
    const unknown = new TypeError("unknown");
    const codeOf = async (error: Error, atTimeout: "DEADLINE_EXCEEDED" | "STORE_UNAVAILABLE") => {
      const ran = guarded("do it", new AbortController().signal, atTimeout, () => Promise.reject(error));
      return ran.catch((thrown) => thrown.code);
    };
    expect(await codeOf(outOfTime, "DEADLINE_EXCEEDED")).toBe("DEADLINE_EXCEEDED");
    expect(await codeOf(outOfTime, "STORE_UNAVAILABLE")).toBe("STORE_UNAVAILABLE");
    expect(await codeOf(unknown, "STORE_UNAVAILABLE")).toBe("STORE_UNAVAILABLE");
    expect(await codeOf(unknown, "DEADLINE_EXCEEDED")).toBe("INTERNAL");
  });

  test("the signal ends a wait that is under way, with the code the caller asked for", async () => {
    const stop = new AbortController();
    const waiting = guarded("wait", stop.signal, "DEADLINE_EXCEEDED", () => new Promise<never>(() => {}));
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });
});
