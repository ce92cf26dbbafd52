/** The map in the process is bounded. */
import { expect, test } from "@jest/globals";
import { memoryHints } from "../../../src/adapters/memory/hints.ts";
import { someUids } from "../../contract/dedup-hints.contract.ts";

test("beyond its bound the uids that were told longest ago are forgotten", async () => {
  const signal = new AbortController().signal;
  const hints = memoryHints({ uidsMax: 4 });
  const [a, b, c, d, e, f] = someUids(6);
  if (!a || !b || !c || !d || !e || !f) throw new Error("six uids");
  await hints.remember([a, b, c, d], signal);
  await hints.remember([a], signal);
  await hints.remember([e, f], signal);
  expect(await hints.known([a, b, c, d, e, f], signal)).toEqual(new Set([a, d, e, f]));
});
