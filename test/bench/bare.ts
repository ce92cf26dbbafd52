/** The ceiling: rows the service made, put by one prepared insert into an empty store of the same schema, pragmas and batch size. Reading them does not count. */
import { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../src/adapters/sqlite/database.ts";
import { insertColumns, insertRecord } from "../../src/adapters/sqlite/record-row.ts";
import { transaction } from "../../src/adapters/sqlite/transaction.ts";

const [source, target, sizeText] = process.argv.slice(2);
if (!source || !target || !sizeText) throw new Error("usage: bare SOURCE TARGET BATCH_SIZE");
const size = Number(sizeText);

const from = new DatabaseSync(source, { readOnly: true });
const read = from.prepare(
  `SELECT id, ${insertColumns.join(", ")} FROM records WHERE id > ? ORDER BY id LIMIT ${size}`,
);
const into = openDatabase(target);
const insert = into.prepare(insertRecord);

let [rows, cpuUs, tookMs] = [0, 0, 0];
for (let id = 0; ; ) {
  const chunk = read.all(id);
  const values = chunk.map((row) => insertColumns.map((column) => row[column] ?? null));
  id = Number(chunk.at(-1)?.["id"]);
  if (values.length === 0) break;
  const [cpuBefore, began] = [process.cpuUsage(), performance.now()];
  transaction(into, () => {
    for (const row of values) insert.run(...row);
  });
  const spent = process.cpuUsage(cpuBefore);
  tookMs += performance.now() - began;
  cpuUs += spent.user + spent.system;
  rows += values.length;
}
process.stdout.write(`${JSON.stringify({ perSecond: (rows * 1_000) / tookMs, cpuUs: cpuUs / rows })}\n`);
