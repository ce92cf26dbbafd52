import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import { newTurns, writeTurn } from "../../../src/adapters/sqlite/write-turns.ts";

const program = new URL("../../../src/adapters/sqlite/write-turns.ts", import.meta.url).href;
/** A thread that works in a turn of its own each time it is told to, for as long as it is told. */
const source = `
const { parentPort, workerData } = require("node:worker_threads");
import(workerData.program).then(({ writeTurn }) => {
  const turn = writeTurn(workerData.turns);
  const order = new Int32Array(workerData.order);
  parentPort.on("message", ({ waitMs, dies }) => {
    turn(() => {
      parentPort.postMessage("began");
      order[Atomics.add(order, 0, 1) + 1] = 2;
      if (waitMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
      if (dies) process.exit(1);
    });
  });
  parentPort.postMessage("ready");
});`;

async function otherThread() {
  const turns = newTurns();
  const order = new SharedArrayBuffer(64);
  const worker = new Worker(source, { eval: true, workerData: { program, turns, order } });
  await once(worker, "message");
  const entries = new Int32Array(order);
  return {
    turn: writeTurn(turns),
    worker,
    /** 1 for this thread, 2 for the other, in the order of their turns. */
    served: () => [...entries.subarray(1, 1 + (entries[0] ?? 0))],
    note: () => {
      entries[Atomics.add(entries, 0, 1) + 1] = 1;
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

test("who asks while another writes is next, however often the other asks again", async () => {
  await using other = await otherThread();
  for (const waitMs of [50, 50, 50, 50, 50, 50]) other.worker.postMessage({ waitMs });
  await once(other.worker, "message");
  const begun = other.served().length;
  other.turn(other.note);
  // One more may begin between the look and the asking.
  expect(other.served().indexOf(1)).toBeLessThanOrEqual(begun + 1);
});

test("a turn ends with what it throws, and passes what it returns", async () => {
  const turn = writeTurn(newTurns());
  expect(() =>
    turn(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(turn(() => 7)).toBe(7);
});

test("a thread that died in its turn is passed over", async () => {
  await using other = await otherThread();
  other.worker.postMessage({ dies: true });
  await once(other.worker, "message");
  other.turn(other.note);
  other.turn(other.note);
  expect(other.served()).toEqual([2, 1, 1]);
});
