/** What the transparency log costs: intake beside itself without it, the time until a record is logged, and a log of many leaves. */
import { execFile } from "node:child_process";
import { constants, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { openCheckpointSigner } from "../../src/adapters/files/checkpoint-signer.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { GetInclusionProofRequestSchema } from "../../src/gen/lastro/v1/transparency_pb.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import { newPassMemory, sequencePass } from "../../src/log/sequence.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { type Servers, startService, workOff } from "./intake.ts";
import { prepareTopic, publishPaced } from "./load.ts";
import { measure, startTarget } from "./reads.ts";
import { prepareReadsStore, type ReadsStore } from "./reads-store.ts";
import { quantile, spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { events, latencySeconds, pairs, records } from "./settings.ts";

const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const never = new AbortController().signal;
const childMsMax = 3_600_000;
const outputBytesMax = 64 * 1024 * 1024;

const lookMs = 5;

/** From a record's `recorded_at` to the look that finds a published checkpoint above its index. */
async function delaysUntil(database: string, isOver: () => boolean): Promise<readonly number[]> {
  using db = new DatabaseSync(database, { readOnly: true });
  const published = db.prepare("SELECT size FROM log_checkpoints WHERE name = 'latest'");
  const between = db.prepare(
    "SELECT recorded_at FROM log_index JOIN records ON records.position = log_index.key WHERE idx >= ? AND idx < ?",
  );
  const delays: number[] = [];
  for (let from = 0; ; ) {
    const over = isOver();
    const size = Number(published.get()?.["size"] ?? 0);
    const nowMs = Date.now();
    if (size > from)
      for (const row of between.all(from, size)) delays.push(nowMs - Number(row["recorded_at"]));
    else if (over) return delays.toSorted((a, b) => a - b);
    from = size;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Logs everything that is stored before it tells that all is over. */
async function measureDelays(
  servers: Servers,
  topic: string,
  load: (service: Awaited<ReturnType<typeof startService>>) => Promise<unknown>,
): Promise<readonly number[]> {
  await using service = await startService(servers, topic);
  let isOver = false;
  const delays = delaysUntil(service.database, () => isOver);
  await load(service);
  await untilLogged(service.lastro, 1);
  isOver = true;
  return delays;
}

async function intakeLoss(servers: Servers): Promise<string> {
  const topic = `bench-log-${process.pid}`;
  await prepareTopic(servers.brokers, topic, events);
  const rate = async (log: "on" | "off"): Promise<number> => {
    await using service = await startService(servers, topic, { LASTRO_LOG: log });
    return (await workOff(service, events)).perSecond;
  };
  const rounds: { readonly on: number; readonly off: number }[] = [];
  while (rounds.length < pairs) rounds.push({ off: await rate("off"), on: await rate("on") });
  const full = await measureDelays(servers, topic, (service) => workOff(service, events));
  const pacedTopic = `${topic}-paced`;
  const pace = { perSecond: 1_000, seconds: latencySeconds };
  const paced = await measureDelays(servers, pacedTopic, (service) =>
    Promise.all([
      publishPaced(servers.brokers, pacedTopic, pace),
      workOff(service, pace.perSecond * pace.seconds),
    ]),
  );
  const loss = rounds.map(({ on, off }) => 100 * (1 - on / off));
  return table(
    [`${events} events, ${pairs} pairs`, "median (least – most)", "goal"],
    [
      ["without the log, events/s", spread(rounds.map(({ off }) => off), 0), ""],
      ["with the log, events/s", spread(rounds.map(({ on }) => on), 0), ""],
      ["lost to the log, %", spread(loss, 1), "≤ 15"],
      ["stored → logged at 1,000 events/s, p50 / p99 ms", `${quantile(paced, 0.5)} / ${quantile(paced, 0.99)}`, "p99 ≤ 1,200"],
      ["stored → logged at full intake, p50 / p99 ms", `${quantile(full, 0.5)} / ${quantile(full, 0.99)}`, "p99 ≤ 2,000"],
    ],
  ); // biome-ignore format: a table
}

/** Sequences everything that is stored; returns leaves a second. */
export async function sequenceAll(
  path: string,
  folder: string,
): Promise<{ size: number; perSecond: number }> {
  await using store = await openSqliteStore({ path });
  const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));
  const openSigner = await openCheckpointSigner({ path: join(folder, "log-key.json"), create: true, random });
  const deps = {
    log: store.log, records: store.records, openSigner, random, sha256,
    witnessSizes: async () => [],
    logName: "bench.local",
    limits: { batchMax: 2_000, heartbeatMs: 30_000, keyOverlapMs: 0 },
    now: Date.now,
    reached: () => undefined,
  }; // biome-ignore format: one line of names
  const memory = newPassMemory();
  const began = performance.now();
  for (;;) {
    const result = await sequencePass(deps, memory, never);
    if (result.kind === "done" && result.lag === 0)
      return { size: result.size, perSecond: (result.size * 1_000) / (performance.now() - began) };
  }
}

/** A leaf: bytes of the full tiles themselves, and of the pages of each table and index of the log. */
function bytesPerLeaf(path: string, size: number): ReadonlyMap<string, number> {
  using db = new DatabaseSync(path, { readOnly: true });
  const tiles = db.prepare("SELECT sum(length(hashes)) AS bytes FROM log_tiles").get();
  const rows = db
    .prepare("SELECT name, sum(pgsize) AS bytes FROM dbstat WHERE name LIKE '%log_%' GROUP BY name")
    .all();
  const pages = rows.map((row): [string, number] => [String(row["name"]), Number(row["bytes"]) / size]);
  return new Map([...pages, ["tiles", Number(tiles?.["bytes"]) / size]]);
}

async function proofs({ ringPath, rids }: ReadsStore, path: string): Promise<string[][]> {
  await using lastro = await startTarget("lastro", path, ringPath);
  const schema = GetInclusionProofRequestSchema;
  const questions = rids.map((rid) => ({
    key: rid,
    bytes: Buffer.from(toBinary(schema, create(schema, { by: { case: "rid", value: rid } }))),
  }));
  const method = {
    name: "GetInclusionProof",
    path: "/lastro.v1.TransparencyService/GetInclusionProof",
    questions,
    read: () => undefined,
  };
  const rows: string[][] = [];
  for (const concurrency of [1, 8]) {
    await measure(lastro, { method, concurrency }, 0);
    const { perSecond, p50Ms, p99Ms } = await measure(lastro, { method, concurrency }, 5_003);
    rows.push([
      `GetInclusionProof, ${concurrency} at once: calls/s, p50 / p99 ms`,
      `${perSecond.toFixed(0)}, ${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)}`,
      concurrency === 1 ? "p99 ≤ 5" : "",
    ]);
  }
  return rows;
}

async function checkRate(
  path: string,
  ringPath: string,
  folder: string,
  more: readonly string[],
): Promise<number> {
  const env = {
    PATH: process.env["PATH"] ?? "",
    LASTRO_DATA_DIR: folder,
    LASTRO_STORE_URL: `sqlite:${path}`,
    LASTRO_KEY_RING_FILE: ringPath,
  };
  const began = performance.now();
  const options = { env, timeout: childMsMax, maxBuffer: outputBytesMax };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, "check", "--json", ...more], options);
  const { verdict } = JSON.parse(stdout);
  if (verdict !== "intact")
    throw new Error(`the check of a clean store says ${verdict}:\n${stdout.slice(0, 2_000)}`);
  return (records * 1_000) / (performance.now() - began);
}

async function largeLog(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "lastro-bench-log-"));
  const path = join(folder, "lastro.db");
  try {
    const reads = await prepareReadsStore(records);
    copyFileSync(reads.path, path, constants.COPYFILE_FICLONE);
    const { size, perSecond } = await sequenceAll(path, folder);
    const bytes = bytesPerLeaf(path, size);
    const pagesOf = (part: string): string =>
      [...bytes].reduce((all, [name, each]) => (name.includes(part) ? all + each : all), 0).toFixed(1);
    const proven = await proofs(reads, path);
    const closed = (await checkRate(path, reads.ringPath, folder, [])).toFixed(0);
    const opened = (await checkRate(path, reads.ringPath, folder, ["--open-bodies"])).toFixed(0);
    return table(
      [`${records.toLocaleString("en")} records`, "figure", "goal"],
      [
        ["the sequencer alone, leaves/s", perSecond.toFixed(0), ""],
        ["full tiles, bytes a leaf", (bytes.get("tiles") ?? Number.NaN).toFixed(1), "≤ 33"],
        ["full tiles with what is left free of SQLite's pages, bytes a leaf", pagesOf("log_tiles"), ""],
        ["log_index with its index, bytes a leaf", pagesOf("log_index"), ""],
        ...proven,
        ["`lastro check`, records/s", closed, "≥ 20,000"],
        ["`lastro check --open-bodies`, records/s", opened, ""],
      ],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const logSection = async (servers: Servers): Promise<Section> => ({
  text: [await intakeLoss(servers), await largeLog()].join("\n\n"),
});
