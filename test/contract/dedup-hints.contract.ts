/** What every keeper of dedup hints must do. */
import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "@jest/globals";
import type { Uid } from "../../src/core/ids.ts";
import type { DedupHints } from "../../src/ports/dedup-hints.ts";

export const someUid = (): Uid => randomBytes(32).toString("base64url") as Uid;
export const someUids = (count: number): Uid[] => Array.from({ length: count }, someUid);

export function dedupHintsContract(open: () => Promise<DedupHints>): void {
  const opened: DedupHints[] = [];
  const signal = new AbortController().signal;
  const hints = async () => {
    const one = await open();
    opened.push(one);
    return one;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one[Symbol.asyncDispose]()));
  });

  test("nothing is known that was not remembered", async () => {
    const one = await hints();
    expect(one.isConnected()).toBe(true);
    expect(await one.known(someUids(3), signal)).toEqual(new Set());
    expect(await one.known([], signal)).toEqual(new Set());
  });

  test("R-05 exactly what was remembered is known, however often", async () => {
    const one = await hints();
    const [told, other] = [someUids(5), someUids(5)];
    await one.remember(told, signal);
    await one.remember(told.slice(2), signal);
    await one.remember([], signal);
    expect(await one.known([...other, ...told], signal)).toEqual(new Set(told));
  });

  test("batches of thousands are remembered and known", async () => {
    const one = await hints();
    const told = someUids(2_501);
    await one.remember(told, signal);
    const known = await one.known([...told, ...someUids(700)], signal);
    expect(known).toEqual(new Set(told));
  });
}
