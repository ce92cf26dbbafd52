/** Intake beside its ceiling and beside what a user would otherwise write: interleaved, so that each ratio is of neighbours in time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bareRate, child, type Rate } from "./child.ts";
import { type IntakeRun, type Servers, startService, workOff } from "./intake.ts";
import { prepareTopic, publishPaced } from "./load.ts";
import { growthOf, heapProbe } from "./memory.ts";
import { medianOf, spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { benchSetting, events, pairs } from "./settings.ts";

/** 0: left out. */
const backlogEvents = benchSetting("BACKLOG_EVENTS", 0);
const steadyMinutes = benchSetting("STEADY_MINUTES", 0);
const naiveEvents = { auto: Math.min(events, 20_000), each: Math.min(events, 2_000) };

type Round = {
  readonly service: IntakeRun;
  readonly bare: Rate;
  readonly naiveAuto: number;
  readonly naiveEach: number;
};

async function round(servers: Servers, topic: string): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), "lastro-bench-"));
  try {
    await using service = await startService(servers, topic);
    const measured = await workOff(service, events);
    await service.lastro.stop();
    const bare = await bareRate(service.database, join(dir, "bare.db"));
    const naive = async (commits: keyof typeof naiveEvents): Promise<number> => {
      const count = naiveEvents[commits];
      const { seconds } = (await child("naive.ts", servers.brokers.join(","), servers.redisUrl, topic,
        join(dir, `${commits}.db`), commits, String(count))) as { seconds: number }; // biome-ignore format: one call
      return count / seconds;
    };
    return { service: measured, bare, naiveAuto: await naive("auto"), naiveEach: await naive("each") };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function throughput(servers: Servers): Promise<{ readonly text: string; readonly perSecond: number }> {
  const topic = `bench-${process.pid}`;
  await prepareTopic(servers.brokers, topic, events);
  const rounds: Round[] = [];
  while (rounds.length < pairs) rounds.push(await round(servers, topic));
  const of = (field: (one: Round) => number, digits = 0): string => spread(rounds.map(field), digits);
  const text = table(
    ["", "median (least – most)", "goal"],
    [
      ["service, events/s", of(({ service }) => service.perSecond), ""],
      ["bare loop, rows/s", of(({ bare }) => bare.perSecond), ""],
      ["service / bare", of(({ service, bare }) => service.perSecond / bare.perSecond, 2), "≥ 0.35, better 0.5 and 0.7"],
      ["service, CPU µs/event", of(({ service }) => service.cpuUs, 1), ""],
      ["bare loop, CPU µs/row", of(({ bare }) => bare.cpuUs, 1), ""],
      ["CPU above bare, µs", of(({ service, bare }) => service.cpuUs - bare.cpuUs, 1), "≤ 60"],
      ["service, peak RSS MB", of(({ service }) => service.peakMb), "≤ 512"],
      ["naive, auto-commit, events/s", of(({ naiveAuto }) => naiveAuto), ""],
      ["service / naive auto-commit", of(({ service, naiveAuto }) => service.perSecond / naiveAuto, 1), "≥ 5"],
      ["naive, commit each, events/s", of(({ naiveEach }) => naiveEach), ""],
      ["service / naive commit each", of(({ service, naiveEach }) => service.perSecond / naiveEach, 1), "≥ 30"],
    ],
  ); // biome-ignore format: a table
  return { text, perSecond: medianOf(rounds.map(({ service }) => service.perSecond)) };
}

async function backlog(servers: Servers): Promise<string> {
  const topic = `bench-backlog-${process.pid}`;
  await prepareTopic(servers.brokers, topic, backlogEvents);
  await using service = await startService(servers, topic);
  const { perSecond, peakMb } = await workOff(service, backlogEvents);
  return `${backlogEvents} events of backlog: peak RSS ${peakMb.toFixed(0)} MB (goal ≤ 512), ${perSecond.toFixed(0)} events/s.`;
}

async function steady(servers: Servers, perSecond: number): Promise<string> {
  const topic = `bench-steady-${process.pid}`;
  await using service = await startService(servers, topic, {}, ["--import", heapProbe]);
  const pace = { perSecond: Math.round(perSecond / 2), seconds: steadyMinutes * 60 };
  const sent = await publishPaced(servers.brokers, topic, pace);
  await workOff(service, sent);
  const { mbPerMinute, peakMb, minutes } = growthOf(service);
  return `${steadyMinutes} minutes at ${pace.perSecond} events/s: heaps after collection ${mbPerMinute.toFixed(2)} MB/min over the last ${minutes.toFixed(1)} minutes (goal < 1), peak RSS ${peakMb.toFixed(0)} MB.`;
}

export async function intakeSection(servers: Servers): Promise<Section> {
  const { text, perSecond } = await throughput(servers);
  const parts = [`${events} events of about 770 bytes in 6 partitions, ${pairs} interleaved rounds.`, text];
  if (backlogEvents > 0) parts.push(await backlog(servers));
  if (steadyMinutes > 0) parts.push(await steady(servers, perSecond));
  return { text: parts.join("\n\n") };
}
