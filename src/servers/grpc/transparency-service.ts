/** TransparencyService: questions to src/query, answers through the wire. */
import type { TransparencyService } from "../../gen/lastro/v1/transparency_pb.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { getCheckpoint } from "../../query/get-checkpoint.ts";
import { getConsistencyProof } from "../../query/get-consistency-proof.ts";
import { getCoverage } from "../../query/get-coverage.ts";
import { getEntry } from "../../query/get-entry.ts";
import { getInclusionProof } from "../../query/get-inclusion-proof.ts";
import { numberOf } from "../wire.ts";
import {
  checkpointNameFromWire,
  checkpointToWire,
  consistencyToWire,
  coverageToWire,
  entryToWire,
  inclusionToWire,
  leafFromWire,
  optionalSize,
} from "../wire-transparency.ts";
import type { Handlers } from "./unary.ts";

export const transparencyHandlers = (deps: QueryDeps): Handlers<typeof TransparencyService> => ({
  async getCheckpoint({ name }, caller, signal) {
    const tree = await getCheckpoint(deps, checkpointNameFromWire(name, "name"), caller, signal);
    return { checkpoint: checkpointToWire(tree) };
  },

  async getInclusionProof({ by, treeSize, checkpoint }, caller, signal) {
    const question = {
      leaf: leafFromWire(by),
      treeSize: optionalSize(treeSize, "tree_size"),
      checkpoint: checkpointNameFromWire(checkpoint, "checkpoint"),
    };
    return inclusionToWire(await getInclusionProof(deps, question, caller, signal));
  },

  async getConsistencyProof({ oldSize, treeSize }, caller, signal) {
    const question = {
      oldSize: numberOf(oldSize, "old_size"),
      treeSize: optionalSize(treeSize, "tree_size"),
    };
    return consistencyToWire(await getConsistencyProof(deps, question, caller, signal));
  },

  async getEntry({ by }, caller, signal) {
    return entryToWire(await getEntry(deps, leafFromWire(by), caller, signal));
  },

  async getCoverage(request, caller, signal) {
    const { src, pageSize, pageToken } = request;
    const [from, to] = [numberOf(request.fromOffset, "from_offset"), numberOf(request.toOffset, "to_offset")];
    const question = { src, from, to: to === 0 ? undefined : to, pageSize, pageToken };
    const page = await getCoverage(deps, question, caller, signal);
    return {
      coverages: page.coverages.map(coverageToWire),
      nextPageToken: page.nextPageToken,
      checkpoint: checkpointToWire(page.tree),
    };
  },
});
