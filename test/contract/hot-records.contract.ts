/** What every keeper of hot records must do. `open` gives one whose time to live is as long as asked for. */
import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "@jest/globals";
import type { HotRecords } from "../../src/ports/hot-records.ts";

export function hotRecordsContract(open: (ttlMs: number) => Promise<HotRecords>): void {
  const opened: HotRecords[] = [];
  const signal = new AbortController().signal;
  const longMs = 60_000;
  const hot = async (ttlMs = longMs): Promise<HotRecords> => {
    const one = await open(ttlMs);
    opened.push(one);
    return one;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one[Symbol.asyncDispose]()));
  });

  test("R-22 what was kept is found byte for byte, by every process of the store, in the order of the keys", async () => {
    const [one, other] = [await hot(), await hot()];
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await one.keep([{ key: a, value: every }, { key: b, value: Uint8Array.of() }], signal); // biome-ignore format: two entries
    const found = await other.find([c, b, a, a], signal);
    expect(found.map((value) => value && Buffer.from(value).toString("hex"))).toEqual([
      undefined,
      "",
      Buffer.from(every).toString("hex"),
      Buffer.from(every).toString("hex"),
    ]);
    expect(await one.find([], signal)).toEqual([]);
  });

  test("the newest value counts", async () => {
    const one = await hot();
    const key = randomUUID();
    await one.keep([{ key, value: Uint8Array.of(1) }], signal);
    await one.keep([{ key, value: Uint8Array.of(2) }], signal);
    await one.keep([], signal);
    expect(Buffer.from((await one.find([key], signal))[0] ?? []).toString("hex")).toBe("02");
  });

  test("R-22 what was kept is gone after its time", async () => {
    const one = await hot(200);
    const key = randomUUID();
    await one.keep([{ key, value: Uint8Array.of(1) }], signal);
    while ((await one.find([key], signal))[0] !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 10));
  });
}
