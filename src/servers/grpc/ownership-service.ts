/** OwnershipService: questions to src/query, answers through the wire. */
import type { OwnershipService } from "../../gen/lastro/v1/ownership_pb.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { getOwnership, listOwnerships } from "../../query/ownerships.ts";
import { listOwnedRecords } from "../../query/search-records.ts";
import { ownershipToWireMessage, recordToWire } from "../wire.ts";
import type { Handlers } from "./unary.ts";

export const ownershipHandlers = (deps: QueryDeps): Handlers<typeof OwnershipService> => ({
  async getOwnership({ tenant, ownershipId }, caller, signal) {
    const document = await getOwnership(deps, { tenant, ownershipId }, caller, signal);
    return { ownership: ownershipToWireMessage(document) };
  },

  async listOwnerships({ tenant, pageSize, pageToken }, caller, signal) {
    const page = await listOwnerships(deps, { tenant, pageSize, pageToken }, caller, signal);
    return { ownerships: page.ownerships.map(ownershipToWireMessage), nextPageToken: page.nextPageToken };
  },

  async listOwnedRecords({ tenant, ownershipId, pageSize, pageToken }, caller, signal) {
    const page = await listOwnedRecords(deps, { tenant, ownershipId, pageSize, pageToken }, caller, signal);
    return {
      records: page.records.map(recordToWire),
      nextPageToken: page.nextPageToken,
      alteredRids: [...page.alteredRids],
    };
  },
});
