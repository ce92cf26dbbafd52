/** OperationsService: what operators see and do of intake, through the operations port. */
import type { OperationsService, ResumePartitionRequest } from "../../gen/lastro/v1/operations_pb.ts";
import type { Operations } from "../../ports/operations.ts";
import { invalid, type QueryDeps, requireText } from "../../query/deps.ts";
import { listOutcomes, requireSrc } from "../../query/list-outcomes.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { numberOf, treeSizeToWire } from "../wire.ts";
import {
  breakerToWire,
  intakeToWire,
  outcomeKindFromWire,
  outcomeToWire,
  positionFromWire,
  verdictsToWire,
} from "../wire-operations.ts";
import type { Handlers } from "./unary.ts";

const replayPositionsMax = 1000;

/** An upper bound of 0 means: up to the mark. */
function rangeOf(request: { readonly fromOffset: bigint; readonly toOffset: bigint }) {
  const from = numberOf(request.fromOffset, "from_offset");
  const to = numberOf(request.toOffset, "to_offset");
  if (from < 0) throw invalid("from_offset", "must not be negative");
  if (to !== 0 && to < from) throw invalid("to_offset", "must not be below from_offset");
  return { from, to: to === 0 ? undefined : to };
}

type Resumption = { readonly id: string; run(signal: AbortSignal): Promise<void> };

function resumptionOf(
  operations: Operations,
  { target, acceptIncarnation }: ResumePartitionRequest,
): Resumption {
  switch (target.case) {
    case "src": {
      const src = requireSrc(target.value);
      return { id: src, run: (signal) => operations.resume({ src }, { acceptIncarnation }, signal) };
    }
    case "partition": {
      const partition = target.value;
      return {
        id: String(partition),
        run: (signal) => operations.resume({ partition }, { acceptIncarnation }, signal),
      };
    }
    case "breaker":
      return { id: "breaker", run: (signal) => operations.resumeBreaker(signal) };
    case undefined:
      throw invalid("target", "must be src, partition or breaker");
  }
}

export const operationsHandlers = (
  deps: QueryDeps,
  operations: Operations,
  { watch } = deps.guard,
): Handlers<typeof OperationsService> => ({
  async getIntake(request, _caller, signal) {
    const srcs = request.srcs.map((src) => requireSrc(src, "srcs"));
    const intake = await operations.intake({ srcs, ...rangeOf(request) }, signal);
    return {
      partitions: intake.partitions.map(intakeToWire),
      ...(intake.breaker === undefined ? {} : { breaker: breakerToWire(intake.breaker) }),
    };
  },

  async listOutcomes(request, caller, signal) {
    const { src, pageSize, pageToken } = request;
    const kinds = request.kinds.map(outcomeKindFromWire);
    const question = { src, ...rangeOf(request), kinds, pageSize, pageToken };
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      () => listOutcomes(deps, operations, question, caller, signal),
      () => [],
    );
    return {
      outcomes: page.outcomes.map(outcomeToWire),
      nextPageToken: page.nextPageToken,
      ...treeSizeToWire(seen),
    };
  },

  async skipOffsets(request, caller, signal) {
    const { from, to } = rangeOf(request);
    if (to === undefined || to <= from) throw invalid("to_offset", "must be above from_offset");
    const reason = requireText(request.reason, "reason");
    const src = requireSrc(request.src);
    const detail = { from, to, reason };
    await watch.act(caller, { type: "offset_skip.submitted", id: src, detail }, signal);
    return { mark: BigInt(await operations.skip(src, from, to, reason, signal)) };
  },

  async resumePartition(request, caller, signal) {
    const { acceptIncarnation } = request;
    const { id, run } = resumptionOf(operations, request);
    const detail = { accept_incarnation: acceptIncarnation };
    await watch.act(caller, { type: "partition_resume.submitted", id, detail }, signal);
    await run(signal);
    return {};
  },

  async replayDeadLetters(request, caller, signal) {
    const positions = request.positions.map(positionFromWire);
    if (positions.length === 0 || positions.length > replayPositionsMax) {
      throw invalid("positions", `must be 1 to ${replayPositionsMax}`);
    }
    const told = positions.map(({ topic, partition, offset }) => `${topic}.${partition}.${offset}`);
    const detail = { positions: told };
    await watch.act(caller, { type: "dead_letter_replay.submitted", id: told[0] ?? "", detail }, signal);
    return { verdicts: verdictsToWire(await operations.replay(positions, signal)) };
  },
});
