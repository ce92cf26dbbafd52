/** The service beside Kafka Connect with the official MongoDB sink connector: into a stub that stores nothing, then into FerretDB. */
import { MongoClient } from "mongodb";
import type { IntakeRun, Servers } from "./intake.ts";
import { prepareTopic } from "./load.ts";
import { connectorOf, type Peer, type PeerTask, runPeer, serviceWith } from "./peer-runs.ts";
import { spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { events, pairs, storedEvents } from "./settings.ts";
import { startWireCounter } from "./wire-counter.ts";
import { startWireStub } from "./wire-stub.ts";

const [stubTasks, storedTasks] = [1, 6];

type Pair = { readonly connector: IntakeRun; readonly service: IntakeRun };

async function interleaved(connector: Peer, service: Peer, task: () => PeerTask): Promise<readonly Pair[]> {
  const all: Pair[] = [];
  while (all.length < pairs)
    all.push({ connector: await runPeer(connector, task()), service: await runPeer(service, task()) });
  return all;
}

function rows(all: readonly Pair[], name: string, goals: Readonly<Partial<Record<keyof IntakeRun, string>>>) {
  const of = (what: string, field: keyof IntakeRun, digits: number) => [
    [`${name}, ${what}`, spread(all.map(({ connector }) => connector[field]), digits), ""],
    [`service, ${what}`, spread(all.map(({ service }) => service[field]), digits), ""],
    [`service / connector, ${what}`, spread(all.map(({ service, connector }) => service[field] / connector[field]), 2), goals[field] ?? ""],
  ]; // biome-ignore format: a table
  return [
    ...of("events/s", "perSecond", 0),
    ...of("CPU µs/event", "cpuUs", 1),
    ...of("peak RSS MB", "peakMb", 0),
  ];
}

const head = ["", "median (least – most)", "goal"];

async function withoutStore(servers: Servers): Promise<string> {
  const topic = `bench-peers-${process.pid}`;
  await prepareTopic(servers.brokers, topic, events);
  const task = (): PeerTask => ({ servers, topic, events, database: "bench", open: startWireStub });
  const all = await interleaved(connectorOf(stubTasks), serviceWith({ LASTRO_LOG: "off" }), task);
  const goals = {
    perSecond: "≥ 0.5, better 0.8",
    cpuUs: "≤ 3, better 2",
    peakMb: "≤ 0.6",
  };
  return table(head, rows(all, `connector, ${stubTasks} task`, goals));
}

async function withFerret(servers: Servers): Promise<string> {
  const topic = `bench-peers-stored-${process.pid}`;
  await prepareTopic(servers.brokers, topic, storedEvents);
  const { host } = new URL(servers.mongoUrl);
  let runs = 0;
  const databases = (count: number) => `bench_${process.pid}_${count}`;
  const task = (): PeerTask => ({
    servers,
    topic,
    events: storedEvents,
    database: databases(runs++),
    open: (onInserted) => startWireCounter(host, onInserted),
  });
  const all = await interleaved(connectorOf(storedTasks), serviceWith({ LASTRO_LOG: "off" }), task);
  const client = await MongoClient.connect(servers.mongoUrl);
  for (let count = 0; count < runs; count++) await client.db(databases(count)).dropDatabase();
  await client.close();
  return table(head, rows(all, `connector, ${storedTasks} tasks`, { perSecond: "≥ 0.9" }));
}

export async function peersSection(servers: Servers): Promise<Section> {
  const text = [
    `Into a stub that stores nothing, ${events} events in 6 partitions, ${pairs} interleaved pairs, the log off:`,
    await withoutStore(servers),
    `Into FerretDB, ${storedEvents} events, ${pairs} interleaved pairs, the log off:`,
    await withFerret(servers),
  ].join("\n\n");
  return { text };
}
