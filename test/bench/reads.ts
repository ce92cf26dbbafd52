/** How fast history is read from a large SQLite store over gRPC and REST, beside bare grpc-js and Fastify handlers that answer the same bytes from memory. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { constants, copyFileSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  GetHistoryRequestSchema,
  GetHistoryResponseSchema,
  GetRecordRequestSchema,
  GetRecordResponseSchema,
  SearchRecordsRequestSchema,
  SearchRecordsResponseSchema,
} from "../../src/gen/lastro/v1/history_pb.ts";
import { type Latencies, latencyChart } from "./latency-chart.ts";
import { openRestClient, restUrls } from "./reads-rest.ts";
import type { Ask, Say } from "./reads-server.ts";
import { prepareReadsStore, type ReadsStore } from "./reads-store.ts";
import { quantile, table } from "./report.ts";
import type { Section } from "./section.ts";
import { benchSetting, records } from "./settings.ts";

const roundMs = benchSetting("ROUND_MS", 1_500);
const rounds = 5;
const warmUps = 2;
const learners = 16;

type Question = { readonly key: string; readonly bytes: Buffer };
export type Method = {
  readonly name: string;
  readonly path: string;
  readonly questions: readonly Question[];
  readonly read: (answer: Buffer) => unknown;
};

export function methodOf<Asked extends DescMessage>(
  name: string,
  [asked, answered]: readonly [Asked, DescMessage],
  requests: readonly (readonly [key: string, request: MessageInitShape<Asked>])[],
): Method {
  return {
    name,
    path: `/lastro.v1.HistoryService/${name}`,
    questions: requests.map(([key, request]) => ({
      key,
      bytes: Buffer.from(toBinary(asked, create(asked, request))),
    })),
    read: (answer) => fromBinary(answered, answer),
  };
}

/** For a client that takes the answers as they come. */
const unread = (method: Method): Method => ({ ...method, name: `${method.name}, undecoded`, read: () => {} });

/** Pages of 10. */
export function historyOf(entities: ReadsStore["entities"]): Method {
  if (entities.length === 0) throw new Error("no entity has 100 to 120 versions: take more records");
  return methodOf(
    "GetHistory",
    [GetHistoryRequestSchema, GetHistoryResponseSchema],
    entities.map((entity) => [
      entity.entityId,
      { entity: { tenant: "default", ...entity }, includeInactive: true, pageSize: 10 },
    ]),
  );
}

export const methodsOf = (store: ReadsStore) => ({
  record: methodOf(
    "GetRecord",
    [GetRecordRequestSchema, GetRecordResponseSchema],
    store.rids.map((rid) => [rid, { by: { case: "rid", value: rid } }]),
  ),
  history: historyOf(store.entities),
  search: methodOf(
    "SearchRecords",
    [SearchRecordsRequestSchema, SearchRecordsResponseSchema],
    store.filters.map((filter) => [filter, { filter, pageSize: 50 }]),
  ),
});

/** Answers are read as JSON, as clients of REST do. */
const restMethods = (store: ReadsStore): readonly Method[] =>
  Object.entries(restUrls(store)).map(([name, urls]) => ({
    name: `${name} over REST`,
    path: "",
    questions: urls.map((url) => ({ key: url, bytes: Buffer.from(url) })),
    read: (answer) => JSON.parse(answer.toString()),
  }));

export type Target = AsyncDisposable & {
  call(path: string, bytes: Buffer): Promise<Buffer>;
  cpuUs(): Promise<number>;
  tell(ask: Ask): void;
};

const program = fileURLToPath(new URL("./reads-server.ts", import.meta.url));

export async function startTarget(...args: readonly string[]): Promise<Target> {
  const child = fork(program, args, {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const said = await next(child);
  if (!("address" in said)) throw new Error("the server did not say where it listens");
  const client = said.address.startsWith("http://") ? restClient(said.address) : grpcClient(said.address);
  return {
    call: client.call,
    async cpuUs() {
      child.send({ cpu: true } satisfies Ask);
      const answer = await next(child);
      return "cpuUs" in answer ? answer.cpuUs : 0;
    },
    tell: (ask) => void child.send(ask),
    async [Symbol.asyncDispose]() {
      client.close();
      child.disconnect();
      await once(child, "exit");
    },
  };
}

type TargetClient = Pick<Target, "call"> & { close(): void };

function grpcClient(address: string): TargetClient {
  const client = new Client(address, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    call: (path, bytes) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, same, same, bytes, (error, answer) =>
          error === null && answer !== undefined ? resolve(answer) : reject(error),
        );
      }),
    close: () => client.close(),
  };
}

function restClient(address: string): TargetClient {
  const { ask, close } = openRestClient(address);
  return { call: (_, url) => ask(url.toString()), close };
}

async function next(child: ChildProcess): Promise<Say> {
  const ended = new AbortController();
  try {
    const exit = once(child, "exit", ended).then(() => Promise.reject(new Error("the server ended")));
    const [said] = await Promise.race([once(child, "message", ended), exit]);
    return said as Say;
  } finally {
    ended.abort();
  }
}

/** The bare handler learns each answer from Lastro: the same questions, the same bytes. */
async function teach(pupil: Target, teacher: Target, { path, questions }: Method): Promise<void> {
  let at = 0;
  const learn = async (): Promise<void> => {
    for (let question = questions[at++]; question !== undefined; question = questions[at++]) {
      const answer = await teacher.call(path, question.bytes);
      pupil.tell({ key: question.key, answer });
    }
  };
  await Promise.all(Array.from({ length: learners }, learn));
}

type Run = { readonly method: Method; readonly concurrency: number };
type Round = {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverUs: number;
  readonly clientUs: number;
  readonly bytes: number;
  /** Milliseconds of each call, ascending. */
  readonly sorted: readonly number[];
};

/** A closed loop of `concurrency` calls for the time of a round. */
export async function measure(target: Target, { method, concurrency }: Run, start: number): Promise<Round> {
  const took: number[] = [];
  let [at, bytes] = [start, 0];
  const cpuBefore = await target.cpuUs();
  const ownBefore = process.cpuUsage();
  const began = performance.now();
  const loop = async (): Promise<void> => {
    for (let now = performance.now(); now - began < roundMs; ) {
      const question = method.questions[at++ % method.questions.length] as Question;
      const answer = await target.call(method.path, question.bytes);
      method.read(answer);
      bytes += answer.length;
      const done = performance.now();
      took.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  const seconds = (performance.now() - began) / 1_000;
  const own = process.cpuUsage(ownBefore);
  const cpu = (await target.cpuUs()) - cpuBefore;
  took.sort((a, b) => a - b);
  return {
    perSecond: took.length / seconds,
    p50Ms: quantile(took, 0.5),
    p99Ms: quantile(took, 0.99),
    serverUs: cpu / took.length,
    clientUs: (own.user + own.system) / took.length,
    bytes: bytes / took.length,
    sorted: took,
  };
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const medianOf = (all: readonly Round[], field: Exclude<keyof Round, "sorted">): number =>
  median(all.map((round) => round[field]));

type Compared = { readonly lastro: readonly Round[]; readonly bare: readonly Round[] };

async function compare(lastro: Target, bare: Target | undefined, run: Run): Promise<Compared> {
  const compared = { lastro: [] as Round[], bare: [] as Round[] };
  for (let round = -warmUps; round < rounds; round++) {
    const start = (round + warmUps) * 3_001;
    const first = await measure(lastro, run, start);
    const second = bare && (await measure(bare, run, start));
    if (round < 0) continue;
    compared.lastro.push(first);
    if (second !== undefined) compared.bare.push(second);
  }
  return compared;
}

/** By call and how many at once: the share of the bare handler's calls a second, and milliseconds. */
const goals: Readonly<Record<string, string>> = {
  "GetRecord 8": "≥ 60 %, p99 ≤ 5",
  "GetHistory 8": "≥ 40 %, p99 ≤ 10",
  "GetHistory 64": "≥ 85 %",
  "SearchRecords 8": "p99 ≤ 50",
  "GetRecord, while fed 8": "p99 ≤ 30",
};

const row = ({ method, concurrency }: Run, { lastro, bare }: Compared): readonly string[] => {
  const shown = (all: readonly Round[], field: Exclude<keyof Round, "sorted">, digits: number): string =>
    all.length === 0 ? "" : medianOf(all, field).toFixed(digits);
  const ratio =
    bare.length === 0
      ? ""
      : `${(100 * median(lastro.map((one, at) => one.perSecond / (bare[at]?.perSecond ?? 1)))).toFixed(0)} %`;
  const cells = [method.name, concurrency, shown(lastro, "perSecond", 0), shown(bare, "perSecond", 0), ratio, goals[`${method.name} ${concurrency}`] ?? "",
    shown(lastro, "p50Ms", 2), shown(lastro, "p99Ms", 2), shown(bare, "p99Ms", 2), shown(lastro, "serverUs", 0), shown(bare, "serverUs", 0),
    shown(lastro, "clientUs", 0), shown(lastro, "bytes", 0)]; // biome-ignore format: a row
  return cells.map(String);
};

const fedPerSecond = 1_000;

/** A second process needs a store of its own. */
export async function withCopy<T>(path: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = `${path}.${process.pid}`;
  copyFileSync(path, copy, constants.COPYFILE_FICLONE);
  try {
    return await work(copy);
  } finally {
    for (const end of ["", "-wal", "-shm", ".lock"]) rmSync(copy + end, { force: true });
  }
}

/** The same reads while the same process takes events in, over a copy of the store. */
const whileFed = (store: ReadsStore, run: Run): Promise<readonly string[]> =>
  withCopy(store.path, async (copy) => {
    await using lastro = await startTarget("lastro", copy, store.ringPath, String(fedPerSecond));
    return row(run, await compare(lastro, undefined, run));
  });

const head = ["call", "at once", "Lastro, calls/s", "bare, calls/s", "Lastro / bare", "goal", "p50 ms", "p99 ms", "bare p99 ms", "Lastro, server CPU µs/call",
  "bare, server CPU µs/call", "client CPU µs/call", "bytes of an answer"]; // biome-ignore format: a row

const introduction = (
  store: ReadsStore,
): string => `\`test/bench/reads.ts\`: ${store.records.toLocaleString("en")} records in a SQLite file of ${Math.round(statSync(store.path).size / 2 ** 20).toLocaleString("en")} MiB,
made by intake's own stations from events of about 770 bytes (50,000 entities, 1,000 ownerships, 5,000 owners). Lastro's gRPC server with
telemetry answers from it in one process; a bare grpc-js server in another answers the same requests, decoded in the same way, with the same
bytes out of a map. "Over REST" the same questions are asked of Lastro's REST server, and of a bare Fastify server that answers with the bytes that one gave. One client process asks both in turn, in rounds of ${roundMs} ms, ${rounds} of them after ${warmUps} to warm up; figures are medians of the rounds,
the ratio is the median of the pairs. The client decodes answers into messages, as generated clients do, and those of REST as JSON; "undecoded" is a client that takes the bytes.
GetRecord asks for ${store.rids.length.toLocaleString("en")} rids drawn from all records; GetHistory for pages of 10 of ${store.entities.length} entities with 100 to 120 versions,
inactive ones included; SearchRecords for pages of 50 by owner and a time range. "While fed": the same process takes in ${fedPerSecond} events a second
(parsed, sealed, appended and accounted in batches as they come; handed over in memory, without a Kafka client). Closed loops: on a machine that other
work shares, p99 is that of waiting for a processor.`;

const latenciesOf = (name: string, all: readonly Round[]): Latencies => ({
  name,
  sorted: all.flatMap(({ sorted }) => sorted).toSorted((a, b) => a - b),
});

/** What the plot shows: as many calls at once as the goals for p99 speak of. */
const plotted = 8;

async function overRest(store: ReadsStore): Promise<(readonly string[])[]> {
  await using lastro = await startTarget("lastro-rest", store.path, store.ringPath);
  await using bare = await startTarget("bare-rest");
  const rows: (readonly string[])[] = [];
  for (const method of restMethods(store)) {
    await teach(bare, lastro, method);
    const run = { method, concurrency: plotted };
    rows.push(row(run, await compare(lastro, bare, run)));
  }
  return rows;
}

export async function readsSection(): Promise<Section> {
  const store = await prepareReadsStore(records);
  const { record, history, search } = methodsOf(store);
  const searching = { method: search, concurrency: plotted };
  const rows: (readonly string[])[] = [];
  const latencies: Latencies[] = [];
  {
    await using lastro = await startTarget("lastro", store.path, store.ringPath);
    await using bare = await startTarget("bare");
    for (const method of [record, history]) {
      await teach(bare, lastro, method);
      const runs = [1, plotted, 64].map((concurrency) => ({ method, concurrency }));
      for (const run of [...runs, { method: unread(method), concurrency: 8 }]) {
        const compared = await compare(lastro, bare, run);
        rows.push(row(run, compared));
        if (run.method !== method || run.concurrency !== plotted) continue;
        latencies.push(
          latenciesOf(method.name, compared.lastro),
          latenciesOf(`${method.name}, bare`, compared.bare),
        );
      }
    }
    const compared = await compare(lastro, undefined, searching);
    rows.push(row(searching, compared));
    latencies.push(latenciesOf(search.name, compared.lastro));
  }
  rows.push(...(await overRest(store)));
  const fed = { method: { ...record, name: "GetRecord, while fed" }, concurrency: 8 };
  rows.push(await whileFed(store, fed));
  const title = `Reading from ${store.records.toLocaleString("en")} records, ${plotted} calls at once`;
  return {
    text: [introduction(store), table(head, rows)].join("\n\n"),
    plots: { "latency-reads": latencyChart(title, latencies, 0.01) },
  };
}
