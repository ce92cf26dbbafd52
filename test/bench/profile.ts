/** Where intake's time goes: the service with V8's profiler on, into the stub and into SQLite; a flame graph of each and µs per event by station. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type CpuProfile, callTree, elsewhere, timeByStation } from "./cpu-profile.ts";
import { flameGraph } from "./flame.ts";
import { type Servers, startService, workOff } from "./intake.ts";
import { prepareTopic } from "./load.ts";
import { table } from "./report.ts";
import type { Section } from "./section.ts";
import { events } from "./settings.ts";
import { startWireStub } from "./wire-stub.ts";

type Env = Readonly<Record<string, string>>;

/** For other viewers of profiles; kept. */
const folderOfProfiles = (): string =>
  process.env["LASTRO_TEST_BENCH_PROFILE_DIR"] ?? mkdtempSync(join(tmpdir(), "lastro-bench-profile-"));

type Profiled = {
  /** Of the main thread, µs of an event. */
  readonly stations: ReadonlyMap<string, number>;
  readonly logThreadUs: number;
  readonly flame: string;
};

/** V8 names the files after time, process and thread: the main thread is 0. */
function profilesIn(dir: string): { readonly main: CpuProfile; readonly others: readonly CpuProfile[] } {
  const files = readdirSync(dir).filter((file) => file.endsWith(".cpuprofile"));
  const read = (file: string): CpuProfile => JSON.parse(readFileSync(join(dir, file), "utf8"));
  const [main] = files.filter((file) => file.split(".")[4] === "0");
  if (main === undefined) throw new Error(`no profile of the main thread in ${dir}`);
  return { main: read(main), others: files.filter((file) => file !== main).map(read) };
}

const sum = (values: Iterable<number>): number => Iterator.from(values).reduce((all, one) => all + one, 0);

/** Profiles go to `dir`, which must hold no others. */
async function profiled(servers: Servers, topic: string, dir: string, env: Env): Promise<Profiled> {
  const name = basename(dir);
  mkdirSync(dir, { recursive: true });
  {
    await using service = await startService(servers, topic, env, ["--cpu-prof", `--cpu-prof-dir=${dir}`]);
    await workOff(service, events);
  }
  const { main, others } = profilesIn(dir);
  const tree = callTree(main);
  const perEvent = (us: number): number => us / events;
  const stations = [...timeByStation(tree)].map(([station, us]): [string, number] => [station, perEvent(us)]);
  return {
    stations: new Map(stations),
    logThreadUs: perEvent(sum(others.flatMap((other) => [...timeByStation(callTree(other)).values()]))),
    flame: flameGraph(`Main thread while ${events.toLocaleString("en")} events are taken in, ${name}`, tree),
  };
}

function stationTable(sqlite: Profiled, stub: Profiled): string {
  const names = [...new Set([...sqlite.stations.keys(), ...stub.stations.keys()])]
    .filter((name) => name !== elsewhere)
    .toSorted((a, b) => (stub.stations.get(b) ?? 0) - (stub.stations.get(a) ?? 0));
  const cells = ({ stations }: Profiled, name: string): readonly string[] => {
    const us = stations.get(name) ?? 0;
    return [us.toFixed(1), `${((100 * us) / sum(stations.values())).toFixed(0)} %`];
  };
  return table(
    ["station", "SQLite, µs/event", "share", "stub, µs/event", "share"],
    [
      ...[...names, elsewhere].map((name) => [name, ...cells(sqlite, name), ...cells(stub, name)]),
      ["main thread", sum(sqlite.stations.values()).toFixed(1), "", sum(stub.stations.values()).toFixed(1), ""],
      ["the log's and other threads", sqlite.logThreadUs.toFixed(1), "", stub.logThreadUs.toFixed(1), ""],
    ],
  ); // biome-ignore format: a table
}

export async function profileSection(servers: Servers): Promise<Section> {
  const topic = `bench-profile-${process.pid}`;
  await prepareTopic(servers.brokers, topic, events);
  const folder = join(folderOfProfiles(), `profiles-${process.pid}`);
  const sqlite = await profiled(servers, topic, join(folder, "SQLite"), {});
  await using server = await startWireStub(() => undefined);
  const store = `mongodb://${server.address}/bench?directConnection=true`;
  const stub = await profiled(servers, topic, join(folder, "stub"), {
    LASTRO_STORE_URL: store,
    LASTRO_LOG: "off",
  });
  process.stderr.write(`profiles, for Chrome or speedscope: ${folder}\n`);
  return {
    text: [
      `${events} events, one run each, from spawn to end; time on the clock in which the thread was not idle, of V8's sampling profiler.`,
      stationTable(sqlite, stub),
    ].join("\n\n"),
    plots: { "flame-sqlite": sqlite.flame, "flame-stub": stub.flame },
  };
}
