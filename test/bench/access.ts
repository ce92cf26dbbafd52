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
All ask the same of the same records. Goal: at most 10 % fewer calls a second.`;

type Method = ReturnType<typeof methodsOf>["record"];

/** The share of everybody's calls that the other answers, and its calls a second: medians. */
async function compare(everybody: Target, other: Target, method: Method): Promise<readonly [number, number]> {
  const [ratios, perSecond]: [number[], number[]] = [[], []];
  for (let round = -warmUps; round < rounds; round++) {
    const run = { method, concurrency };
    const start = (round + warmUps) * 3_001;
    // Who goes first changes with each pair.
    const order = round % 2 === 0 ? [everybody, other] : [other, everybody];
    const measured = new Map<Target, number>();
    for (const target of order) measured.set(target, (await measure(target, run, start)).perSecond);
    if (round < 0) continue;
    const asked = measured.get(other) ?? 0;
    ratios.push(asked / (measured.get(everybody) ?? 1));
    perSecond.push(asked);
  }
  return [median(ratios), median(perSecond)];
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
        const [share, perSecond] = await compare(everybody, other, method);
        rows.push([name, method.name, perSecond.toFixed(0), `${(100 * share).toFixed(1)} %`]);
      }
    }
  });
  const head = ["caller", "call", "calls/s", "of everybody's calls/s"];
  return { text: [introduction(store.records), table(head, rows)].join("\n\n") };
}
