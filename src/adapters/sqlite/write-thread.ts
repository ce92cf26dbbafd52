/** The thread that writes: it opens the file for itself and does what it is asked, in the order it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { LastroError } from "../../core/errors.ts";
import { openDatabase } from "./database.ts";
import { openGroupCommit } from "./group-commit.ts";
import { unpackRecords } from "./packed-records.ts";
import type { FromWriteThread, ToWriteThread, WriteCall, WriteThreadData } from "./run-write-thread.ts";
import { openWrites } from "./writes.ts";

/** What has begun is finished. */
const never = new AbortController().signal;
const say = (message: FromWriteThread): void => parentPort?.postMessage(message);

const { path, settings, recordBytesMax } = workerData as WriteThreadData;
const db = openDatabase(path, settings);
const { records, keys, state } = openWrites(db, openGroupCommit(db), recordBytesMax);

function write([name, args]: WriteCall): Promise<unknown> {
  switch (name) {
    case "append": {
      const [packed, rest] = args;
      return records.append({ ...rest, records: unpackRecords(packed) }, never);
    }
    case "account":
      return records.account(...args, never);
    case "repairActive":
      return records.repairActive(...args, never);
    case "probe":
      return records.probe(never);
    case "createKeys":
      return keys.create(...args, never);
    case "rewrapKey":
      return keys.rewrap(...args, never);
    case "createState":
      return state.create(...args, never);
    case "replaceState":
      return state.replace(...args, never);
    case "setBreaker":
      return state.setBreaker(...args, never);
    case "setPersonalAccess":
      return state.setPersonalAccess(...args, never);
    case "putJob":
      return state.putJob(...args, never);
    case "removeJob":
      return state.removeJob(...args, never);
  }
}

async function answer(id: number, call: WriteCall): Promise<void> {
  try {
    say({ id, result: await write(call) });
  } catch (error) {
    if (!(error instanceof LastroError)) throw error;
    say({ id, failure: { code: error.code, message: error.message } });
  }
}

let allAnswered = Promise.resolve();

parentPort?.on("message", async (told: ToWriteThread) => {
  if (told !== "end") {
    const answered = answer(told.id, told.call);
    allAnswered = allAnswered.then(() => answered);
    return;
  }
  await allAnswered;
  db.close();
  parentPort?.close();
});
