/** Writes to a file happen in a thread: what it is lost, told or sent must not be noticed by who reads the answers. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import { defaults, openDatabase } from "../../../src/adapters/sqlite/database.ts";
import { packRecords, unpackRecords } from "../../../src/adapters/sqlite/packed-records.ts";
import { readRecords } from "../../../src/adapters/sqlite/records.ts";
import { writesInThread } from "../../../src/adapters/sqlite/run-write-thread.ts";
import { bytesOf, makeScene } from "../../support/records.ts";
import { temporaryFolder } from "../../support/sqlite.ts";

const signal = new AbortController().signal;

function openThread() {
  const folder = temporaryFolder();
  const path = join(folder.path, "lastro.db");
  const db = openDatabase(path);
  const threads: Worker[] = [];
  const writes = writesInThread({ path, recordBytesMax: 1_000_000, settings: defaults }, (data) => {
    const program = new URL("../../../src/adapters/sqlite/write-thread.ts", import.meta.url);
    threads.push(new Worker(program, { workerData: data, env: {} }));
    return threads.at(-1) as Worker;
  });
  return {
    writes,
    reads: readRecords(db),
    threads,
    [Symbol.asyncDispose]: async () => {
      await writes[Symbol.asyncDispose]();
      db.close();
      folder[Symbol.dispose]();
    },
  };
}

test("records arrive in the thread as they were sent, each with its own bytes", () => {
  const scene = makeScene();
  const bare = scene.record({ offset: 1, projection: { resourceType: undefined, ownershipId: undefined } });
  const records = [
    scene.record({ offset: 0, body: bytesOf("first", 17), kind: "activity", isActive: false }),
    { ...bare, ownership: undefined, body: new Uint8Array(0) },
    scene.record({
      offset: 2,
      body: bytesOf("third", 31),
      projection: { indexed: { "/a": "b" }, flags: ["late"] },
    }),
  ];
  expect(unpackRecords(structuredClone(packRecords(records)))).toEqual(records);
});

test("what is asked while the thread is lost is unavailable, and the next write finds another thread", async () => {
  await using opened = openThread();
  const { writes, reads, threads } = opened;
  const scene = makeScene();
  await writes.records.probe(signal);
  const ended = threads[0]?.terminate();
  await expect(writes.records.probe(signal)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await ended;
  const batch = scene.batch({ records: [scene.record({ offset: 0 })], account: scene.step(0, 1) });
  expect(await writes.records.append(batch, signal)).toEqual({ kind: "done" });
  expect(await reads.mark(scene.src, signal)).toBe(1);
  expect(threads).toHaveLength(2);
});

test("a write whose signal is aborted rejects at once; those after it are not held up", async () => {
  await using opened = openThread();
  const { writes } = opened;
  const given = new AbortController();
  const asked = writes.records.probe(given.signal);
  given.abort();
  await expect(asked).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await writes.records.probe(signal);
});

test("closing waits for what was asked before, and refuses what is asked after", async () => {
  await using opened = openThread();
  const { writes, reads } = opened;
  const scene = makeScene();
  const appended = writes.records.append(
    scene.batch({ records: [scene.record({ offset: 0 })], account: scene.step(0, 1) }),
    signal,
  );
  await writes[Symbol.asyncDispose]();
  expect(await appended).toEqual({ kind: "done" });
  expect(await reads.mark(scene.src, signal)).toBe(1);
  await expect(writes.records.probe(signal)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
