/** OwnershipService: questions to src/query, answers through the wire. */
import type { OwnershipService } from "../../gen/lastro/v1/ownership_pb.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { getOwnership, listOwnerships } from "../../query/ownerships.ts";
import { listOwnedRecords } from "../../query/search-records.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { ownershipToWireMessage, recordToWire, startTreeSizeToWire, treeSizeToWire } from "../wire.ts";
import type { Handlers } from "./unary.ts";

const noRecords = () => [];

export const ownershipHandlers = (deps: QueryDeps): Handlers<typeof OwnershipService> => ({
  async getOwnership({ tenant, ownershipId }, caller, signal) {
    const { answer, seen } = await withSeenTree(
      deps,
      signal,
      () => getOwnership(deps, { tenant, ownershipId }, caller, signal),
      noRecords,
    );
    return { ownership: ownershipToWireMessage(answer), ...treeSizeToWire(seen) };
  },

  async listOwnerships({ tenant, pageSize, pageToken }, caller, signal) {
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      () => listOwnerships(deps, { tenant, pageSize, pageToken }, caller, signal),
      noRecords,
    );
    return {
      ownerships: page.ownerships.map(ownershipToWireMessage),
      nextPageToken: page.nextPageToken,
      ...treeSizeToWire(seen),
    };
  },

  async listOwnedRecords({ tenant, ownershipId, pageSize, pageToken }, caller, signal) {
    const { answer: page, seen } = await withSeenTree(
      deps,
      signal,
      (treeSize) =>
        listOwnedRecords(deps, { tenant, ownershipId, pageSize, pageToken }, caller, signal, treeSize),
      ({ records }) => records,
    );
    return {
      records: page.records.map((record) => recordToWire(record, seen)),
      nextPageToken: page.nextPageToken,
      alteredRids: [...page.alteredRids],
      ...startTreeSizeToWire(page.startTreeSize),
      ...treeSizeToWire(seen),
    };
  },
});
