/** Summaries as messages, and messages as questions for them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TimeBucket as Bucket } from "../core/time-buckets.ts";
import {
  type SummarizeRecordsRequest,
  type SummarizeRecordsResponseSchema,
  TimeBucket,
} from "../gen/lastro/v1/history_pb.ts";
import type { SummarizeRequest, Summary, ValueCount } from "../query/summarize.ts";
import { numberOf } from "./wire.ts";

const buckets: Readonly<Record<TimeBucket, Bucket | undefined>> = {
  [TimeBucket.UNSPECIFIED]: undefined,
  [TimeBucket.HOUR]: "hour",
  [TimeBucket.DAY]: "day",
  [TimeBucket.MONTH]: "month",
};

export const treeFromWire = (size: bigint | undefined): number | undefined =>
  size === undefined ? undefined : numberOf(size, "as_of_tree_size");

export const summaryFromWire = (request: SummarizeRecordsRequest): SummarizeRequest => ({
  filter: request.filter,
  groupBy: request.groupBy,
  bucket: buckets[request.bucket],
  timeZone: request.timeZone,
  valuesMax: request.valuesMax,
  asOfTreeSize: treeFromWire(request.asOfTreeSize),
});

const countToWire = ({ value, count }: ValueCount) => ({ value, count: BigInt(count) });

export const summaryToWire = (summary: Summary): MessageInitShape<typeof SummarizeRecordsResponseSchema> => ({
  total: BigInt(summary.total),
  fields: summary.fields.map(({ field, values, rest }) => ({
    field,
    values: values.map(countToWire),
    rest: BigInt(rest),
  })),
  buckets: summary.buckets.map(countToWire),
  isPartial: summary.isPartial,
  lookedAt: BigInt(summary.looked),
  ...(summary.countedTreeSize === undefined ? {} : { countedTreeSize: BigInt(summary.countedTreeSize) }),
});
