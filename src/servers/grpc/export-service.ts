/** ExportService and, over the same exports, google.longrunning.Operations. */
import { create } from "@bufbuild/protobuf";
import { anyPack, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { LastroError } from "../../core/errors.ts";
import type { Operation, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import {
  ExportFormat,
  type ExportMetadata,
  ExportMetadataSchema,
  ExportResultSchema,
  type ExportService,
  ExportState,
} from "../../gen/lastro/v1/export_pb.ts";
import { sleep } from "../../lib/backoff.ts";
import type { Caller, QueryDeps } from "../../query/deps.ts";
import { invalid } from "../../query/deps.ts";
import { type KeptExport, noSuchExport } from "../../query/export-job.ts";
import type { ExportRequest, Exports } from "../../query/exports.ts";
import { pager } from "../../query/page.ts";
import { numberOf } from "../wire.ts";
import { optionalSize } from "../wire-transparency.ts";
import { statusOf } from "./errors.ts";
import type { Handlers } from "./unary.ts";

const prefix = "operations/";
const waitLookMs = 200;
const waitMsMax = 20_000;

const formats = {
  ndjson: ExportFormat.NDJSON,
  json: ExportFormat.JSON,
  csv: ExportFormat.CSV,
  ocsf: ExportFormat.OCSF,
  ecs: ExportFormat.ECS,
  cef: ExportFormat.CEF,
  syslog: ExportFormat.SYSLOG,
  evidence: ExportFormat.EVIDENCE,
} as const;
const states = {
  running: ExportState.RUNNING,
  done: ExportState.DONE,
  failed: ExportState.FAILED,
  cancelled: ExportState.CANCELLED,
} as const;

function formatFromWire(format: ExportFormat): ExportRequest["format"] {
  for (const [name, known] of Object.entries(formats)) {
    if (known === format) return name as ExportRequest["format"];
  }
  throw invalid("format", "must be one of the formats of docs/export.md");
}

function nameFromWire(name: string): string {
  if (!name.startsWith(prefix)) throw noSuchExport();
  return name.slice(prefix.length);
}

const optionalTime = (ms: number | null) => (ms === null ? undefined : timestampFromMs(ms));

function metadataOf({ job }: KeptExport): ExportMetadata {
  const endTime = optionalTime(job.endedAtMs);
  return create(ExportMetadataSchema, {
    state: states[job.state],
    filter: job.filter,
    format: formats[job.format],
    treeSize: BigInt(job.treeSize),
    nextIndex: BigInt(job.nextIndex),
    recordsSeen: BigInt(job.seen),
    recordsWritten: BigInt(job.written),
    bytesWritten: BigInt(job.bytes),
    createTime: timestampFromMs(job.createdAtMs),
    ...(endTime !== undefined && { endTime }),
    expireTime: timestampFromMs(job.expiresAtMs),
  });
}

function resultOf(kept: KeptExport): Operation["result"] {
  const { name, job } = kept;
  if (job.state === "running") return { case: undefined };
  if (job.state === "done") {
    const result = create(ExportResultSchema, {
      name: prefix + name,
      parts: job.parts.map((part) => ({
        name: part.name,
        bytes: BigInt(part.bytes),
        records: BigInt(part.records),
        sha256: Buffer.from(part.sha256, "hex"),
      })),
      bytes: BigInt(job.bytes),
      records: BigInt(job.written),
      alteredRids: [...job.alteredRids],
      alteredRidsTruncated: job.moreAltered,
    });
    return { case: "response", value: anyPack(ExportResultSchema, result) };
  }
  const { code, message } = job.fault ?? { code: "INTERNAL", message: "" };
  const error = statusOf(new LastroError(code, message));
  return {
    case: "error",
    value: job.state === "cancelled" ? { ...error, code: status.CANCELLED } : error,
  };
}

const operationOf = (kept: KeptExport): Operation =>
  create(OperationSchema, {
    name: prefix + kept.name,
    metadata: anyPack(ExportMetadataSchema, metadataOf(kept)),
    done: kept.job.state !== "running",
    result: resultOf(kept),
  });

export const exportHandlers = (exports: Exports): Handlers<typeof ExportService> => ({
  async exportRecords({ filter, format, treeSize }, caller, signal) {
    const question = {
      filter,
      format: formatFromWire(format),
      treeSize: optionalSize(treeSize, "tree_size"),
    };
    return operationOf(await exports.start(question, caller, signal));
  },
  async *readExport({ name, offset }, caller, signal) {
    const from = numberOf(offset, "offset");
    for await (const { data, nextOffset } of exports.read(nameFromWire(name), from, caller, signal))
      yield { data, nextOffset: BigInt(nextOffset) };
  },
});

/** Whoever waits for an operation is told how far it is as soon as `draining` is aborted. */
export const longRunningHandlers = (
  query: QueryDeps,
  exports: Exports,
  draining: AbortSignal,
): Handlers<typeof Operations> => ({
  async getOperation({ name }, caller, signal) {
    return operationOf(await exports.get(nameFromWire(name), caller, signal));
  },
  async listOperations({ filter, pageSize, pageToken }, caller, signal) {
    if (filter !== "") throw invalid("filter", "must be empty: operations are few");
    const page = pager(query, "ListOperations", [], "name", caller, { pageSize, pageToken });
    const after = String(page.after?.[0] ?? "");
    const behind = (await exports.list(caller, signal)).filter(({ name }) => name > after);
    const some = behind.slice(0, page.size);
    const last = some.at(-1)?.name;
    return {
      operations: some.map(operationOf),
      nextPageToken: last === undefined || some.length === behind.length ? "" : page.tokenAt([last]),
    };
  },
  async cancelOperation({ name }, caller, signal) {
    await exports.cancel(nameFromWire(name), caller, signal);
    return {};
  },
  async deleteOperation({ name }, caller, signal) {
    await exports.remove(nameFromWire(name), caller, signal);
    return {};
  },
  async waitOperation({ name, timeout }, caller, signal) {
    const askedMs = timeout === undefined ? waitMsMax : durationMs(timeout);
    const ms = Math.max(0, Math.min(askedMs, waitMsMax));
    // By a timer, which does not jump with the machine's clock: looks that take long count as well.
    const over = AbortSignal.any([AbortSignal.timeout(ms), draining]);
    return operationOf(await ended(exports, nameFromWire(name), over, caller, signal));
  },
});

/** As it is when the time is `over`, or as soon as it has ended. */
async function ended(
  exports: Exports,
  name: string,
  over: AbortSignal,
  caller: Caller,
  signal: AbortSignal,
): Promise<KeptExport> {
  const either = AbortSignal.any([over, signal]);
  for (;;) {
    const kept = await exports.get(name, caller, signal);
    if (kept.job.state !== "running" || over.aborted) return kept;
    await sleep(waitLookMs, either).catch(() => signal.throwIfAborted());
  }
}
