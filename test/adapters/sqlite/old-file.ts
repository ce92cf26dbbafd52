/** A program: opens a file of an older schema as the service does, and tells by how much its memory grew at most (KiB), and where it sorts from then on. */
import { readFileSync } from "node:fs";
import { openDatabase } from "../../../src/adapters/sqlite/database.ts";

const peakKib = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
const [path = "", cacheBytes] = process.argv.slice(2);
const before = peakKib();
const db = openDatabase(path, { cacheBytes: Number(cacheBytes) });
console.log(JSON.stringify({ grownKib: peakKib() - before, ...db.prepare("PRAGMA temp_store").get() }));
db.close();
