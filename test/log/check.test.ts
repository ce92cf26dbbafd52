/** The operator's check over logs that intake and sequencer made: untouched ones, interrupted checks, rewritten ones. */
import { expect, test } from "@jest/globals";
import { makeCheckedLog } from "../support/checked-log.ts";

test("R-28 an untouched store is intact, on the basis of the kept and cosigned checkpoint, with bodies closed and open", async () => {
  await using log = await makeCheckedLog(1, 330);
  const closed = await log.check();
  expect(closed.findings).toEqual([]);
  expect(closed.verdict).toBe("intact");
  expect(closed.basis.map(({ kind }) => kind)).toEqual(["self", "witnessed", "pinned"]);
  const open = await log.check({ openBodies: true });
  expect(open.findings).toEqual([]);
  expect(open.checked["bodiesOpened"]).toBe(open.checked["records"]);
});
