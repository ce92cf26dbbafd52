/** `npm run bench`: measures all parts or those named, and writes docs/performance.md and docs/plots. The servers are started by deploy/local/bench.mjs. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { kafkaBrokers, mongoUrl, redisUrl } from "../support/servers.ts";
import { accessSection } from "./access.ts";
import { growthSection } from "./growth.ts";
import type { Servers } from "./intake.ts";
import { intakeSection } from "./intake-section.ts";
import { latencySection } from "./latency.ts";
import { logSection } from "./log.ts";
import { peersSection } from "./peers.ts";
import { profileSection } from "./profile.ts";
import { readsSection } from "./reads.ts";
import { searchSection } from "./search.ts";
import { type Section, withMeasured, withPlots } from "./section.ts";
import { startSection } from "./start.ts";
import { variantsSection } from "./variants.ts";

const parts: Readonly<Record<string, (servers: Servers) => Promise<Section>>> = {
  intake: intakeSection,
  variants: variantsSection,
  latency: latencySection,
  start: startSection,
  growth: growthSection,
  profile: profileSection,
  peers: peersSection,
  log: logSection,
  reads: readsSection,
  access: accessSection,
  search: searchSection,
};

const docs = new URL("../../docs/", import.meta.url);

function write(part: string, text: string, { plots = {} }: Section): void {
  const page = new URL("performance.md", docs);
  writeFileSync(page, withMeasured(readFileSync(page, "utf8"), part, text));
  mkdirSync(new URL("plots/", docs), { recursive: true });
  for (const [name, svg] of Object.entries(plots)) writeFileSync(new URL(`plots/${name}.svg`, docs), svg);
}

const machine = `Node ${process.versions.node}, SQLite ${process.versions["sqlite"]}, ${availableParallelism()} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GB; Kafka, Redis, service and load share them.`;

const { positionals: named, values } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false } },
});
const unknown = named.filter((name) => parts[name] === undefined);
if (unknown.length > 0)
  throw new Error(`no part is called ${unknown.join(", ")}: ${Object.keys(parts).join(", ")}`);

const servers = { brokers: kafkaBrokers(), redisUrl: redisUrl(), mongoUrl: mongoUrl() };
for (const [part, measure] of Object.entries(parts)) {
  if (named.length > 0 && !named.includes(part)) continue;
  const measured = await measure(servers);
  const text = `Measured ${new Date().toISOString().slice(0, 10)}. ${machine}\n\n${withPlots(measured)}`;
  process.stdout.write(`## ${part}\n\n${text}\n\n`);
  if (named.length === 0 || values.write) write(part, text, measured);
}
