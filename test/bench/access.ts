/** What it costs to ask who may: the same reads by callers with bounds and masks, beside those of everybody, in pairs. */
import { measure, median, methodsOf, startTarget, type Target, withCopy } from "./reads.ts";
import { prepareReadsStore } from "./reads-store.ts";
import { table } from "./report.ts";
import type { Section } from "./section.ts";
import { records } from "./settings.ts";

const callers = ["bounded", "masked", "watched"] as const;
const concurrency = 8;
const [rounds, warmUps] = [7, 2];

const introduction = (
  many: number,
): string => `\`test/bench/access.ts\`: ${many.toLocaleString("en")} records in SQLite, ${concurrency} calls at once, ${rounds} pairs of neighbouring rounds; the ratio is the
median of the pairs. The other of each pair is the server with \`LASTRO_AUTH=none\`, where everybody may everything. "bounded" is one caller with one
tenant, and a rate; "masked" sees no persons there, and has a second grant elsewhere; "watched" is "bounded" with self-audit of each read, without Kafka.
All ask the same of the same records. Goal: at most 10 % fewer calls a second; on a machine that other work shares the CPU of a call tells more.`;

type Method = ReturnType<typeof methodsOf>["record"];

/** What the other has of everybody's calls a second and CPU a call, and its CPU a call: medians. */
async function compare(everybody: Target, other: Target, method: Method): Promise<readonly number[]> {
  const [rates, costs, serverUs]: [number[], number[], number[]] = [[], [], []];
  for (let round = -warmUps; round < rounds; round++) {
    const run = { method, concurrency };
    const start = (round + warmUps) * 3_001;
    // Who goes first changes with each pair.
    const order = round % 2 === 0 ? [everybody, other] : [other, everybody];
    const measured = new Map<Target, Awaited<ReturnType<typeof measure>>>();
    for (const target of order) measured.set(target, await measure(target, run, start));
    const [plain, asked] = [measured.get(everybody), measured.get(other)];
    if (round < 0 || plain === undefined || asked === undefined) continue;
    rates.push(asked.perSecond / plain.perSecond);
    costs.push(asked.serverUs / plain.serverUs);
    serverUs.push(asked.serverUs);
  }
  return [median(rates), median(costs), median(serverUs)];
}

export async function accessSection(): Promise<Section> {
  const store = await prepareReadsStore(records);
  const { record, history, search } = methodsOf(store);
  const rows: (readonly string[])[] = [];
  // A store belongs to one process.
  await withCopy(store.path, async (copy) => {
    await using everybody = await startTarget("lastro", store.path, store.ringPath);
    for (const name of callers) {
      await using other = await startTarget("lastro", copy, store.ringPath, "0", name);
      // An owner is no question for who sees no persons.
      for (const method of name === "masked" ? [record, history] : [record, history, search]) {
        const [rate = 0, cost = 0, serverUs = 0] = await compare(everybody, other, method);
        const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
        rows.push([name, method.name, percent(rate), percent(cost), serverUs.toFixed(0)]);
      }
    }
  });
  const head = [
    "caller",
    "call",
    "of everybody's calls/s",
    "of everybody's CPU a call",
    "server CPU µs/call",
  ];
  return { text: [introduction(store.records), table(head, rows)].join("\n\n") };
}
