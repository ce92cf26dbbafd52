/** `npm run bench`: measures everything and writes docs/performance.md. The servers are started by deploy/local/bench.mjs. */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { kafkaBrokers, mongoUrl, redisUrl } from "../support/servers.ts";
import { intakeSection } from "./intake-section.ts";
import { logSection } from "./log.ts";
import { peersSection } from "./peers.ts";
import { readsSection } from "./reads.ts";

const page = new URL("../../docs/performance.md", import.meta.url);
/** What people write in the page stays; what lies between these lines is written anew. */
const [begin, end] = ["<!-- measured: begin -->", "<!-- measured: end -->"];

const machine = `Node ${process.versions.node}, SQLite ${process.versions["sqlite"]}, ${availableParallelism()} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GB; Kafka, Redis, service and load share them.`;

const sections = process.argv.slice(2);
const wants = (name: string): boolean => sections.length === 0 || sections.includes(name);
const servers = { brokers: kafkaBrokers(), redisUrl: redisUrl(), mongoUrl: mongoUrl() };

const measured = [`Measured ${new Date().toISOString().slice(0, 10)}. ${machine}`];
if (wants("intake")) measured.push("### Intake", await intakeSection(servers));
if (wants("peers")) measured.push("### Peers", await peersSection(servers));
if (wants("log")) measured.push("### The log", await logSection(servers));
if (wants("reads")) measured.push("### Reading", await readsSection());
const text = measured.join("\n\n");
process.stdout.write(`${text}\n`);
if (sections.length === 0) {
  const [before, rest = ""] = readFileSync(page, "utf8").split(begin);
  const after = rest.split(end)[1] ?? "";
  writeFileSync(page, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}
