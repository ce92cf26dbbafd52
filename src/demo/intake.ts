/** Waits, as an operator would, until all that was published has an outcome; then counts exactly that. */

import type { OutcomeCounts } from "../core/outcome.ts";
import {
  type GetIntakeResponse,
  OperationsService,
  type Outcome,
  OutcomeKind,
  type PartitionIntake,
  PartitionState,
} from "../gen/lastro/v1/operations_pb.ts";
import { sleep } from "../lib/backoff.ts";
import type { Ask } from "./client.ts";
import { DemoFailure, exitCodes } from "./failure.ts";
import type { Place } from "./publish.ts";

const pollMs = 250;
const waitMsMax = 180_000;
const pageSize = 500;
const listedKinds = [
  OutcomeKind.DUPLICATE,
  OutcomeKind.CONFLICT,
  OutcomeKind.REJECTED,
  OutcomeKind.GAP,
] as const;

/** Offsets [from, to) of a partition that hold messages of the day and nothing else. */
export type Range = { readonly partition: number; readonly from: number; readonly to: number };

export function rangesOf(places: readonly Place[]): readonly Range[] {
  const ranges: Range[] = [];
  const sorted = [...places].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  for (const { partition, offset } of sorted) {
    const last = ranges.at(-1);
    if (last?.partition === partition && last.to === offset)
      ranges[ranges.length - 1] = { ...last, to: offset + 1 };
    else ranges.push({ partition, from: offset, to: offset + 1 });
  }
  return ranges;
}

export type SrcOf = ReadonlyMap<number, string>;

/** Only of the topic as it is now the service knows the lag; older incarnations of it keep their marks. */
const isLive = ({ lag }: PartitionIntake): boolean => lag !== undefined;

/** Fails at once when the service is away or cannot take events in. */
export async function checkIntake(ask: Ask): Promise<void> {
  refuseStopped(await ask(OperationsService.method.getIntake, {}));
}

/** Resolves with the name of each partition once every place lies below its partition's mark. */
export async function untilAccounted(
  ask: Ask,
  places: readonly Place[],
  onAccounted: (messages: number) => void,
  signal: AbortSignal,
  waitMs = waitMsMax,
): Promise<SrcOf> {
  const startedMs = performance.now();
  for (;;) {
    const intake = await ask(OperationsService.method.getIntake, {});
    const live = new Map(intake.partitions.filter(isLive).map((one) => [one.partition, one]));
    const accounted = places.filter(
      ({ partition, offset }) => offset < Number(live.get(partition)?.mark ?? 0),
    ).length;
    onAccounted(accounted);
    if (accounted === places.length)
      return new Map([...live].map(([partition, { src }]) => [partition, src]));
    refuseStopped(intake);
    if (performance.now() - startedMs > waitMs)
      throw new DemoFailure(
        exitCodes.failed,
        `After ${waitMs / 1000} s only ${accounted} of ${places.length} messages have an outcome. ${whyLate([...live.values()])}`,
      );
    await sleep(pollMs, signal);
  }
}

function refuseStopped({ partitions, breaker }: GetIntakeResponse): void {
  const stopped = partitions.find((one) => isLive(one) && one.state === PartitionState.STOPPED);
  if (stopped === undefined && breaker?.open !== true) return;
  throw new DemoFailure(
    exitCodes.failed,
    stopped === undefined
      ? "Intake is paused by its breaker: an operator resumes it with OperationsService.ResumePartition"
      : `Intake of partition ${stopped.partition} is stopped (${stopped.reason}): ${stopped.message}`,
  );
}

function whyLate(live: readonly PartitionIntake[]): string {
  const waiting = live.find(({ state }) => state === PartitionState.WAITING);
  if (waiting !== undefined)
    return `Partition ${waiting.partition} waits (${waiting.reason}): ${waiting.message}`;
  const lag = live.reduce((sum, one) => sum + Number(one.lag ?? 0), 0);
  return lag > 0
    ? `The service is ${lag} messages behind: let it catch up and run the demo again`
    : "The service has read all of its topic: give the demo the LASTRO_KAFKA_BROKERS and LASTRO_KAFKA_TOPIC of the service";
}

const named = (srcOf: SrcOf, partition: number): string => srcOf.get(partition) ?? "";

export async function countOutcomes(
  ask: Ask,
  ranges: readonly Range[],
  srcOf: SrcOf,
): Promise<OutcomeCounts> {
  const sum = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { partition, from, to } of ranges) {
    const { partitions } = await ask(OperationsService.method.getIntake, {
      srcs: [named(srcOf, partition)],
      fromOffset: BigInt(from),
      toOffset: BigInt(to),
    });
    const counts = partitions[0]?.counts;
    sum.stored += Number(counts?.stored ?? 0);
    sum.duplicate += Number(counts?.duplicate ?? 0);
    sum.conflict += Number(counts?.conflict ?? 0);
    sum.rejected += Number(counts?.rejected ?? 0);
    sum.gap += Number(counts?.gap ?? 0);
  }
  return sum;
}

export type FoundOutcome = { readonly partition: number; readonly outcome: Outcome };

/** Everything that is not `stored`, in the order of partitions and offsets. */
export async function listOutcomes(
  ask: Ask,
  ranges: readonly Range[],
  srcOf: SrcOf,
): Promise<readonly FoundOutcome[]> {
  const found: FoundOutcome[] = [];
  for (const { partition, from, to } of ranges) {
    let pageToken = "";
    do {
      const page = await ask(OperationsService.method.listOutcomes, {
        src: named(srcOf, partition),
        fromOffset: BigInt(from),
        toOffset: BigInt(to),
        kinds: [...listedKinds],
        pageSize,
        pageToken,
      });
      found.push(...page.outcomes.map((outcome) => ({ partition, outcome })));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  return found;
}
