/** HistoryService: questions to src/query, answers through the wire. */
import { LastroError } from "../../core/errors.ts";
import {
  type GetStateRequest,
  type HistoryService,
  type TailRecordsRequest,
  VersionOrder,
} from "../../gen/lastro/v1/history_pb.ts";
import type { AsOf } from "../../ports/history-reader.ts";
import { compareVersions } from "../../query/compare-versions.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { type GetHistoryRequest, getHistory } from "../../query/get-history.ts";
import { getRecord } from "../../query/get-record.ts";
import { getState } from "../../query/get-state.ts";
import { listChanges } from "../../query/list-changes.ts";
import { searchRecords } from "../../query/search-records.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { summarizeRecords } from "../../query/summarize.ts";
import type { Tail, TailFrom } from "../../query/tail-records.ts";
import { waitForLog } from "../../query/wait-for-log.ts";
import {
  changeToWire,
  differenceToWire,
  entityFromWire,
  entityToWire,
  eventIdFromWire,
  kindFromWire,
  msOf,
  numberOf,
  recordToWire,
  startTreeSizeToWire,
  treeSizeToWire,
} from "../wire.ts";
import { summaryFromWire, summaryToWire, treeFromWire } from "../wire-summary.ts";
import { awaitedFromWire } from "../wire-transparency.ts";
import type { Handlers } from "./unary.ts";

function asOfFromWire(asOf: GetStateRequest["asOf"]): AsOf {
  switch (asOf.case) {
    case "version":
      return { version: numberOf(asOf.value, "version") };
    case "recordedAt":
      return { recordedAtMs: msOf(asOf.value, "recorded_at") };
    case "actionAt":
      return { actionAtMs: msOf(asOf.value, "action_at") };
    case undefined:
      return undefined;
  }
}

function tailFromWire(from: TailRecordsRequest["from"]): TailFrom {
  switch (from.case) {
    case "index":
      return { index: numberOf(from.value, "index") };
    case "recordedAt":
      return { recordedAtMs: msOf(from.value, "recorded_at") };
    case "checkpoint":
      return { checkpoint: from.value };
    case undefined:
      return "now";
  }
}

export const historyHandlers = (deps: QueryDeps, tail: Tail): Handlers<typeof HistoryService> => ({
  async getRecord({ by, waitFor }, caller, signal) {
    if (by.case === undefined) {
      throw new LastroError("INVALID_ARGUMENT", "rid or event_id must be given", { field: "by" });
    }
    const question = by.case === "rid" ? { rid: by.value } : { eventId: eventIdFromWire(by.value) };
    const awaited = awaitedFromWire(waitFor);
    if (awaited !== undefined) await waitForLog(deps, question, awaited, caller, signal);
    const { answer: record, seen } = await withSeenTree(
      deps,
      signal,
      () => getRecord(deps, question, caller, signal),
      (view) => [view],
    );
    return { record: recordToWire(record, seen), ...treeSizeToWire(seen) };
  },

  async getHistory(request, caller, signal) {
    const question: GetHistoryRequest = {
      entity: entityFromWire(request.entity),
      kinds: request.kinds.map(kindFromWire),
      includeInactive: request.includeInactive,
      order: request.order === VersionOrder.OLDEST_FIRST ? "asc" : "desc",
      pageSize: request.pageSize,
      pageToken: request.pageToken,
    };
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      () => getHistory(deps, question, caller, signal),
      ({ records }) => records,
    );
    return {
      records: page.records.map((record) => recordToWire(record, seen)),
      nextPageToken: page.nextPageToken,
      seeAlso: page.seeAlso.map(entityToWire),
      alteredRids: [...page.alteredRids],
      ...treeSizeToWire(seen),
    };
  },

  async getState(request, caller, signal) {
    const question = { entity: entityFromWire(request.entity), asOf: asOfFromWire(request.asOf) };
    const { answer, seen } = await withSeenTree(
      deps,
      signal,
      () => getState(deps, question, caller, signal),
      (state) => (state.found ? [state.record] : []),
    );
    if (!answer.found) return { found: false, ...treeSizeToWire(seen) };
    return {
      found: true,
      deleted: answer.state.deleted,
      erased: answer.state.kind === "erased",
      masked: answer.state.kind === "masked",
      ...(answer.text === undefined ? {} : { state: answer.text }),
      record: recordToWire(answer.record, seen),
      ...treeSizeToWire(seen),
    };
  },

  async compareVersions(request, caller, signal) {
    const question = {
      entity: entityFromWire(request.entity),
      fromVersion: numberOf(request.fromVersion, "from_version"),
      toVersion: numberOf(request.toVersion, "to_version"),
    };
    const { answer, seen } = await withSeenTree(
      deps,
      signal,
      () => compareVersions(deps, question, caller, signal),
      ({ from, to }) => [from, to],
    );
    return {
      differences: answer.differences.map(differenceToWire),
      masked: answer.isMasked,
      from: recordToWire(answer.from, seen),
      to: recordToWire(answer.to, seen),
      ...treeSizeToWire(seen),
    };
  },

  async listChanges(request, caller, signal) {
    const { recordedFrom, recordedTo, pageSize, pageToken } = request;
    const question = {
      entity: entityFromWire(request.entity),
      fromVersion: numberOf(request.fromVersion, "from_version"),
      toVersion: numberOf(request.toVersion, "to_version"),
      recordedFromMs: recordedFrom && msOf(recordedFrom, "recorded_from"),
      recordedToMs: recordedTo && msOf(recordedTo, "recorded_to"),
      pageSize,
      pageToken,
    };
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      () => listChanges(deps, question, caller, signal),
      ({ changes }) => changes.map(({ record }) => record),
    );
    return {
      changes: page.changes.map((change) => changeToWire(change, seen)),
      nextPageToken: page.nextPageToken,
      ...treeSizeToWire(seen),
    };
  },

  async searchRecords({ filter, orderBy, pageSize, pageToken, asOfTreeSize }, caller, signal) {
    const asOf = treeFromWire(asOfTreeSize);
    const question = { filter, orderBy, pageSize, pageToken, asOfTreeSize: asOf };
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      (treeSize) => searchRecords(deps, question, caller, signal, treeSize),
      ({ records }) => records,
    );
    return {
      records: page.records.map((record) => recordToWire(record, seen)),
      nextPageToken: page.nextPageToken,
      alteredRids: [...page.alteredRids],
      ...startTreeSizeToWire(page.startTreeSize),
      listDigest: page.listDigest,
      ...treeSizeToWire(seen),
    };
  },

  async *tailRecords({ filter, from }, caller, signal) {
    for await (const part of tail({ filter, from: tailFromWire(from) }, caller, signal)) {
      yield {
        records: part.records.map((record) => recordToWire(record, part.seen)),
        nextIndex: BigInt(part.nextIndex),
        alteredRids: [...part.alteredRids],
        ...treeSizeToWire(part.seen),
      };
    }
  },

  async summarizeRecords(request, caller, signal) {
    const question = summaryFromWire(request);
    const { answer, seen } = await withSeenTree(
      deps,
      signal,
      (treeSize) => summarizeRecords(deps, question, caller, signal, treeSize),
      () => [],
    );
    return { ...summaryToWire(answer), ...treeSizeToWire(seen) };
  },
});
