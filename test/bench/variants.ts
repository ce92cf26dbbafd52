/** Intake end to end in its variants: stores, processes, sizes of events, duplicates, poison. Each beside the plain variant of its store in the same round. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import { type LastroProcess, startLastro } from "../support/lastro.ts";
import { type IntakeRun, type Servers, type Since, serviceEnv, workOffAs } from "./intake.ts";
import { publishAll } from "./load.ts";
import { spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { benchSetting, pairs, storedEvents } from "./settings.ts";
import { type Load, loads, outcomesOf, variantLoad } from "./variant-load.ts";
import { startWireStub } from "./wire-stub.ts";

const variantEvents = benchSetting("VARIANT_EVENTS", 200_000);

type Opened = AsyncDisposable & { readonly env: Readonly<Record<string, string>> };
type Store = {
  readonly name: string;
  readonly events: number;
  readonly since: Since;
  open(servers: Servers, run: string): Promise<Opened>;
};

const sqlite: Store = {
  name: "SQLite",
  events: variantEvents,
  since: "outcomes",
  open: async () => ({ env: {}, [Symbol.asyncDispose]: async () => undefined }),
};

const stub: Store = {
  name: "stub",
  events: variantEvents,
  since: "outcomes",
  async open() {
    const server = await startWireStub(() => undefined);
    const env = {
      LASTRO_STORE_URL: `mongodb://${server.address}/bench?directConnection=true`,
      LASTRO_LOG: "off",
    };
    return { env, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  },
};

/** Its few batches end nearly together, so the first outcome comes late. */
const ferret: Store = {
  name: "FerretDB",
  events: storedEvents,
  since: "ready",
  async open({ mongoUrl }, run) {
    const database = run.replaceAll("-", "_");
    const url = new URL(mongoUrl);
    url.pathname = `/${database}`;
    return {
      env: { LASTRO_STORE_URL: url.href, LASTRO_LOG: "off" },
      async [Symbol.asyncDispose]() {
        await using client = await MongoClient.connect(mongoUrl);
        await client.db(database).dropDatabase();
      },
    };
  },
};

type Variant = {
  readonly store: Store;
  readonly load: Load;
  readonly processes: number;
  readonly goal: string;
};

const of = (store: Store, load: Load, goal = "", processes = 1): Variant => ({
  store,
  load,
  processes,
  goal,
});

const poisonGoal = "≥ 0.9";

/** The plain one of a store comes first. The stub remembers no record, so it knows no duplicate; a SQLite file belongs to one process, and FerretDB alone is the bound of one. */
const variants: readonly Variant[] = [
  of(sqlite, loads.plain),
  of(sqlite, loads.large),
  of(sqlite, loads.copied),
  of(sqlite, loads.poisoned, poisonGoal),
  of(stub, loads.plain),
  of(stub, loads.plain, "≥ 1.5", 2),
  of(stub, loads.large),
  of(stub, loads.poisoned, poisonGoal),
  of(ferret, loads.plain),
  of(ferret, loads.large),
  of(ferret, loads.copied),
  of(ferret, loads.poisoned, poisonGoal),
];

const nameOf = ({ store, load, processes }: Variant): string =>
  `${store.name}, ${load.name}, ${processes === 1 ? "1 process" : `${processes} processes`}`;

const topicOf = ({ store, load }: Variant): string =>
  `bench-variant-${process.pid}-${load.name.replaceAll(/\W+/g, "-")}-${store.events}`;

async function prepareTopics({ brokers }: Servers): Promise<void> {
  const byTopic = new Map(variants.map((variant) => [topicOf(variant), variant]));
  for (const [topic, { store, load }] of byTopic)
    await publishAll(brokers, topic, variantLoad(store.events, load));
}

/** The processes share a folder, hence their keys. */
async function runVariant(servers: Servers, variant: Variant, run: string): Promise<IntakeRun> {
  const { store, load, processes } = variant;
  const dataDir = mkdtempSync(join(tmpdir(), "lastro-bench-variant-"));
  const started: LastroProcess[] = [];
  await using opened = await store.open(servers, run);
  try {
    const env = serviceEnv(servers, topicOf(variant), dataDir, opened.env);
    while (started.length < processes) started.push(await startLastro({ env }));
    return await workOffAs(started, outcomesOf(store.events, load), store.since);
  } finally {
    await Promise.all(started.map((lastro) => lastro.stop()));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

type Round = ReadonlyMap<Variant, IntakeRun>;

function row(variant: Variant, rounds: readonly Round[]): readonly string[] {
  const plain = variants.find(({ store }) => store === variant.store);
  const runs = rounds.flatMap((round) => round.get(variant) ?? []);
  const ratios = rounds.map((round) => {
    const [one, base] = [round.get(variant), plain && round.get(plain)];
    return one === undefined || base === undefined ? Number.NaN : one.perSecond / base.perSecond;
  });
  return [
    nameOf(variant),
    spread(runs.map(({ perSecond }) => perSecond), 0),
    variant === plain ? "" : spread(ratios, 2),
    variant.goal,
    spread(runs.map(({ cpuUs }) => cpuUs), 1),
    spread(runs.map(({ peakMb }) => peakMb), 0),
  ]; // biome-ignore format: a row
}

export async function variantsSection(servers: Servers): Promise<Section> {
  await prepareTopics(servers);
  const rounds: Round[] = [];
  while (rounds.length < pairs) {
    const round = new Map<Variant, IntakeRun>();
    for (const [at, variant] of variants.entries())
      round.set(variant, await runVariant(servers, variant, `bench-${process.pid}-${rounds.length}-${at}`));
    rounds.push(round);
  }
  const head = [
    "",
    "events/s, median (least – most)",
    "of the plain one",
    "goal",
    "CPU µs/event",
    "peak RSS MB",
  ];
  return {
    text: [
      `${variantEvents} events in 6 partitions (${storedEvents} into FerretDB), ${pairs} interleaved rounds; the log is on with SQLite only.`,
      table(head, variants.map((variant) => row(variant, rounds))),
    ].join("\n\n"),
  }; // biome-ignore format: a table
}
