/** Loaded into each thread of the service under test: says every 20 s what its heap holds after all of it was collected, which takes 50 ms. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { threadId } from "node:worker_threads";

const everyMs = 20_000;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

setInterval(() => {
  collect();
  process.stderr.write(
    `bench-heap ${JSON.stringify([threadId, Date.now(), process.memoryUsage().heapUsed])}\n`,
  );
}, everyMs).unref();
