/** A start that is told to stop, and one that fails by itself. */
import { describe, expect, test } from "@jest/globals";
import { LastroError } from "../src/core/errors.ts";
import { stoppableStart } from "../src/stoppable-start.ts";

const told: string[] = [];
const log = { info: (code: string): void => void told.push(code) };
const stopped = AbortSignal.abort(new Error("stopped"));
const waited = new LastroError("STORE_UNAVAILABLE", "the time to prepare the database is over");

describe("a service", () => {
  test("that is told to stop while it starts ends in order, and the log says so", async () => {
    await stoppableStart(() => Promise.reject(waited), log, stopped);
    expect(told.splice(0)).toEqual(["start_stopped"]);
  });

  test("whose start fails by itself ends with what failed", async () => {
    const going = new AbortController().signal;
    await expect(stoppableStart(() => Promise.reject(waited), log, going)).rejects.toBe(waited);
    expect(told).toEqual([]);
  });

  test("that fails while it stops after it was up ends with what failed", async () => {
    const service = async (onUp: () => void): Promise<void> => {
      onUp();
      throw waited;
    };
    await expect(stoppableStart(service, log, stopped)).rejects.toBe(waited);
  });

  test("that cannot close what its start had opened ends with that", async () => {
    const unclosed = new SuppressedError(new Error("not closed"), waited);
    await expect(stoppableStart(() => Promise.reject(unclosed), log, stopped)).rejects.toBe(unclosed);
    expect(told).toEqual([]);
  });
});
