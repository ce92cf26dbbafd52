/** Words, filters and sums over a large store: how fast its index is made, how fast it answers, and what it costs intake. */
import { constants, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import {
  SearchRecordsRequestSchema,
  SearchRecordsResponseSchema,
  SummarizeRecordsRequestSchema,
  SummarizeRecordsResponseSchema,
  TimeBucket,
} from "../../src/gen/lastro/v1/history_pb.ts";
import { indexPass } from "../../src/indexing/index-pass.ts";
import { seededRandom } from "./events.ts";
import { type Servers, startService, workOff } from "./intake.ts";
import { prepareTopic } from "./load.ts";
import { sequenceAll } from "./log.ts";
import { type Method, measure, median, methodOf, startTarget, type Target } from "./reads.ts";
import { intakeOver, prepareReadsStore, type ReadsStore } from "./reads-store.ts";
import { quantile, spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { events, pairs, records } from "./settings.ts";

const never = new AbortController().signal;
const concurrency = 8;
const rounds = 3;
const questionsMax = 200;

type IndexFigures = { readonly perSecond: number; readonly bytes: number };

/** Sequences and indexes all that is stored. */
async function indexAll(path: string, { ringPath }: ReadsStore, folder: string): Promise<IndexFigures> {
  await sequenceAll(path, folder);
  {
    await using store = await openSqliteStore({ path });
    const { dataKeys: keys, catalogue } = await intakeOver(store, { ringPath, create: false, now: Date.now });
    const deps = { log: store.log, history: store.history, index: store.index, keys, catalogue };
    const began = performance.now();
    for (let lag = 1; lag > 0; ) ({ lag } = await indexPass(deps, never));
    const perSecond = (records * 1_000) / (performance.now() - began);
    using db = new DatabaseSync(path, { readOnly: true });
    const pages = db
      .prepare("SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN ('terms', 'texts', 'summary_blocks')")
      .get();
    return { perSecond, bytes: Number(pages?.["bytes"]) / records };
  }
}

const searches = (
  name: string,
  filters: readonly string[],
  over: { readonly asOfTreeSize?: bigint } = {},
): Method => ({
  ...methodOf(
    "SearchRecords",
    [SearchRecordsRequestSchema, SearchRecordsResponseSchema],
    filters.map((filter) => [filter, { filter, pageSize: 50, ...over }]),
  ),
  name,
});

type Summarized = Parameters<typeof methodOf<typeof SummarizeRecordsRequestSchema>>[2][number][1];
const summaries = (name: string, requests: readonly Summarized[]): Method => ({
  ...methodOf(
    "SummarizeRecords",
    [SummarizeRecordsRequestSchema, SummarizeRecordsResponseSchema],
    requests.map((request, at) => [String(at), request]),
  ),
  name,
});

function methodsOf({ filters }: ReadsStore): readonly (readonly [Method, goal: string])[] {
  const random = seededRandom(3);
  const each = <T>(make: (entity: number) => T): readonly T[] =>
    Array.from({ length: questionsMax }, () => make(Math.floor(random() * 50_000)));
  const groupBy = ["action", "severity", "event_type", "producer_service"];
  const times = each((n) => new Date(Date.UTC(2026, 10, 1) + (n % 12) * 3_600_000).toISOString());
  return [
    [searches("search by owner and time", filters), "p99 ≤ 50"],
    [searches("the same as of a tree", filters, { asOfTreeSize: BigInt(Math.floor(records / 2)) }), ""],
    [searches("text: one rare word", each((n) => `text:${n}`)), "p99 ≤ 100"],
    [searches("text: two words, one in every record", each((n) => `text:"customer ${n}"`)), "p99 ≤ 100"],
    [searches("text: a word of every record", ["text:customer"]), "p99 ≤ 100"],
    [searches("text: a beginning of a word", each((n) => `text:"customer ${String(n).slice(0, 4)}*"`)), "p99 ≤ 100"],
    [searches("text and fields", each((n) => `text:${n % 500} AND event_type = account.created`)), "p99 ≤ 100"],
    [summaries("summary of everything by four fields", [{ groupBy }]), "p99 ≤ 300"],
    [summaries("summary by day and by hour of a time", times.flatMap((from) => [
      { filter: `recorded_at >= ${from}`, bucket: TimeBucket.HOUR, timeZone: "America/Sao_Paulo", groupBy },
      { bucket: TimeBucket.DAY, filter: "severity >= MEDIUM" },
    ])), "p99 ≤ 300"],
    [summaries("top 10 actors", [{ groupBy: ["owner_id"], valuesMax: 10 }]), "p99 ≤ 300"],
    [summaries("summary by owner_role, which looks at 20,000 records", [{ groupBy: ["owner_role"] }]), ""],
  ]; // biome-ignore format: a table
}

type Answered = { readonly perSecond: number; readonly p50: string; readonly p99: string };

async function answered(lastro: Target, method: Method, atOnce: number): Promise<Answered> {
  const measured = [];
  for (let round = 0; round < rounds; round++)
    measured.push(await measure(lastro, { method, concurrency: atOnce }, round * 71));
  const sorted = measured.flatMap((one) => one.sorted).toSorted((a, b) => a - b);
  return {
    perSecond: median(measured.map((one) => one.perSecond)),
    p50: quantile(sorted, 0.5).toFixed(1),
    p99: quantile(sorted, 0.99).toFixed(1),
  };
}

async function answerRow(lastro: Target, method: Method, goal: string): Promise<readonly string[]> {
  await measure(lastro, { method, concurrency }, 0);
  const many = await answered(lastro, method, concurrency);
  const alone = await answered(lastro, method, 1);
  return [method.name, many.perSecond.toFixed(0), many.p50, many.p99, goal, alone.p50, alone.p99];
}

async function answers(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "lastro-bench-search-"));
  const path = join(folder, "lastro.db");
  try {
    const reads = await prepareReadsStore(records);
    copyFileSync(reads.path, path, constants.COPYFILE_FICLONE);
    const { perSecond, bytes } = await indexAll(path, reads, folder);
    await using lastro = await startTarget("lastro", path, reads.ringPath);
    const rows: (readonly string[])[] = [];
    for (const [method, goal] of methodsOf(reads)) rows.push(await answerRow(lastro, method, goal));
    return [
      `${records.toLocaleString("en")} records in SQLite, ${concurrency} calls at once over gRPC. The index is made at ${perSecond.toFixed(0)} records/s by its passes alone; it takes ${bytes.toFixed(0)} bytes a record.`,
      table(["question", "calls/s", "p50 ms", "p99 ms", "goal", "one at once: p50 ms", "p99 ms"], rows),
    ].join("\n\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function intakeLoss(servers: Servers): Promise<string> {
  const topic = `bench-search-${process.pid}`;
  await prepareTopic(servers.brokers, topic, events);
  const rate = async (index: "on" | "off"): Promise<number> => {
    await using service = await startService(servers, topic, { LASTRO_SEARCH_INDEX: index });
    return (await workOff(service, events)).perSecond;
  };
  const measured: { readonly on: number; readonly off: number }[] = [];
  while (measured.length < pairs) measured.push({ off: await rate("off"), on: await rate("on") });
  return table(
    [`intake of ${events} events, ${pairs} pairs`, "median (least – most)"],
    [
      ["without the index, events/s", spread(measured.map(({ off }) => off), 0)],
      ["with it, events/s", spread(measured.map(({ on }) => on), 0)],
      ["lost to it, %", spread(measured.map(({ on, off }) => 100 * (1 - on / off)), 1)],
    ],
  ); // biome-ignore format: a table
}

export const searchSection = async (servers: Servers): Promise<Section> => ({
  text: [await answers(), await intakeLoss(servers)].join("\n\n"),
});
