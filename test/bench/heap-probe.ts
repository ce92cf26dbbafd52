/** Loaded into the service under test: says once a second what its heap holds after the last collection's leftovers are counted in. */
const everyMs = 1_000;

setInterval(() => {
  process.stderr.write(`bench-heap ${JSON.stringify([Date.now(), process.memoryUsage().heapUsed])}\n`);
}, everyMs).unref();
