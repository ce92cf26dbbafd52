/** A process that appends batches of one account each to the store named on its command line until it is killed; says each batch that is durable. */
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { makeScene } from "../../support/records.ts";

const rowsPerBatch = 200;
const store = await openSqliteStore({ path: process.argv[2] ?? "" });
const scene = makeScene();
const signal = new AbortController().signal;
for (let from = 0; ; from += rowsPerBatch) {
  const records = Array.from({ length: rowsPerBatch }, (_, i) => scene.record({ offset: from + i }));
  const account = scene.step(from, from + rowsPerBatch);
  await store.records.append(scene.batch({ records, account }), signal);
  process.stdout.write(`${from + rowsPerBatch}\n`);
}
