/** The ceiling: rows the service made, put by one prepared insert into a store of the same schema, pragmas and batch size. Reading them does not count. A store that has the first rows already gets the rest. */
import { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../src/adapters/sqlite/database.ts";
import { insertColumns, insertRecord } from "../../src/adapters/sqlite/record-row.ts";
import { transaction } from "../../src/adapters/sqlite/transaction.ts";

const [source, target, sizeText, countedText] = process.argv.slice(2);
if (!source || !target || !sizeText || !countedText)
  throw new Error("usage: bare SOURCE TARGET BATCH_SIZE ROWS_COUNTED");
const [size, counted] = [Number(sizeText), Number(countedText)];

const from = new DatabaseSync(source, { readOnly: true });
const read = from.prepare(
  `SELECT id, ${insertColumns.join(", ")} FROM records WHERE id > ? ORDER BY id LIMIT ${size}`,
);
const into = openDatabase(target);
const insert = into.prepare(insertRecord);
const lastIdOf = (database: DatabaseSync): number =>
  Number(database.prepare("SELECT max(id) AS id FROM records").get()?.["id"] ?? 0);
const countedFrom = lastIdOf(from) - counted;

let [rows, cpuUs, tookMs] = [0, 0, 0];
for (let id = lastIdOf(into); ; ) {
  const chunk = read.all(id);
  const values = chunk.map((row) => insertColumns.map((column) => row[column] ?? null));
  id = Number(chunk.at(-1)?.["id"]);
  if (values.length === 0) break;
  const [cpuBefore, began] = [process.cpuUsage(), performance.now()];
  transaction(into, () => {
    for (const row of values) insert.run(...row);
  });
  if (id <= countedFrom) continue;
  const spent = process.cpuUsage(cpuBefore);
  tookMs += performance.now() - began;
  cpuUs += spent.user + spent.system;
  rows += values.length;
}
process.stdout.write(`${JSON.stringify({ perSecond: (rows * 1_000) / tookMs, cpuUs: cpuUs / rows })}\n`);
