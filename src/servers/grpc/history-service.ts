/** HistoryService: questions to src/query, answers through the wire. */
import { LastroError } from "../../core/errors.ts";
import { type GetStateRequest, type HistoryService, VersionOrder } from "../../gen/lastro/v1/history_pb.ts";
import type { AsOf } from "../../ports/history-reader.ts";
import { compareVersions } from "../../query/compare-versions.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { getHistory } from "../../query/get-history.ts";
import { getRecord } from "../../query/get-record.ts";
import { getState } from "../../query/get-state.ts";
import { searchRecords } from "../../query/search-records.ts";
import {
  differenceToWire,
  entityFromWire,
  entityToWire,
  eventIdFromWire,
  kindFromWire,
  msOf,
  numberOf,
  recordToWire,
} from "../wire.ts";
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

export const historyHandlers = (deps: QueryDeps): Handlers<typeof HistoryService> => ({
  async getRecord({ by }, caller, signal) {
    if (by.case === undefined) {
      throw new LastroError("INVALID_ARGUMENT", "rid or event_id must be given", { field: "by" });
    }
    const question = by.case === "rid" ? { rid: by.value } : { eventId: eventIdFromWire(by.value) };
    return { record: recordToWire(await getRecord(deps, question, caller, signal)) };
  },

  async getHistory(request, caller, signal) {
    const page = await getHistory(
      deps,
      {
        entity: entityFromWire(request.entity),
        kinds: request.kinds.map(kindFromWire),
        includeInactive: request.includeInactive,
        order: request.order === VersionOrder.OLDEST_FIRST ? "asc" : "desc",
        pageSize: request.pageSize,
        pageToken: request.pageToken,
      },
      caller,
      signal,
    );
    return {
      records: page.records.map(recordToWire),
      nextPageToken: page.nextPageToken,
      seeAlso: page.seeAlso.map(entityToWire),
      alteredRids: [...page.alteredRids],
    };
  },

  async getState(request, caller, signal) {
    const question = { entity: entityFromWire(request.entity), asOf: asOfFromWire(request.asOf) };
    const answer = await getState(deps, question, caller, signal);
    if (!answer.found) return { found: false };
    return {
      found: true,
      deleted: answer.state.deleted,
      erased: answer.state.kind === "erased",
      ...(answer.text === undefined ? {} : { state: answer.text }),
      record: recordToWire(answer.record),
    };
  },

  async compareVersions(request, caller, signal) {
    const comparison = await compareVersions(
      deps,
      {
        entity: entityFromWire(request.entity),
        fromVersion: numberOf(request.fromVersion, "from_version"),
        toVersion: numberOf(request.toVersion, "to_version"),
      },
      caller,
      signal,
    );
    return {
      differences: comparison.differences.map(differenceToWire),
      from: recordToWire(comparison.from),
      to: recordToWire(comparison.to),
    };
  },

  async searchRecords({ filter, orderBy, pageSize, pageToken }, caller, signal) {
    const page = await searchRecords(deps, { filter, orderBy, pageSize, pageToken }, caller, signal);
    return {
      records: page.records.map(recordToWire),
      nextPageToken: page.nextPageToken,
      alteredRids: [...page.alteredRids],
    };
  },
});
