/** The log's answers and questions: domain ⇄ generated messages. Part of the wire, see wire.ts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LogState } from "../gen/lastro/v1/record_pb.ts";
import {
  CheckpointName,
  type CheckpointSchema,
  type CoverageSchema,
  type GetConsistencyProofResponseSchema,
  type GetEntryRequest,
  type GetEntryResponseSchema,
  type GetInclusionProofRequest,
  type GetInclusionProofResponseSchema,
  LogEntryKind,
} from "../gen/lastro/v1/transparency_pb.ts";
import type { CheckpointName as Name } from "../ports/log-store.ts";
import { invalid } from "../query/deps.ts";
import type { ConsistencyProof } from "../query/get-consistency-proof.ts";
import type { Coverage } from "../query/get-coverage.ts";
import type { EntryAnswer } from "../query/get-entry.ts";
import type { InclusionProof } from "../query/get-inclusion-proof.ts";
import type { LeafName } from "../query/log-leaf.ts";
import type { LogStateAwaited } from "../query/log-waiters.ts";
import type { SignedTree } from "../query/published-log.ts";
import { numberOf } from "./wire.ts";
import { countsToWire } from "./wire-operations.ts";

const kindToWire = {
  record: LogEntryKind.RECORD,
  coverage: LogEntryKind.COVERAGE,
  control: LogEntryKind.CONTROL,
} as const;

export function checkpointNameFromWire(name: CheckpointName, field: string): Name {
  switch (name) {
    case CheckpointName.UNSPECIFIED:
    case CheckpointName.LATEST:
      return "latest";
    case CheckpointName.WITNESSED:
      return "witnessed";
    default:
      throw invalid(field, "is no checkpoint of this log: latest or witnessed");
  }
}

export function leafFromWire(by: GetEntryRequest["by"] | GetInclusionProofRequest["by"]): LeafName {
  switch (by.case) {
    case "rid":
      return { rid: by.value };
    case "index":
      return { index: numberOf(by.value, "index") };
    case "control":
      return { control: by.value };
    case undefined:
      throw invalid("by", "must name a leaf");
  }
}

/** Undefined: the caller does not wait. */
export function awaitedFromWire(state: LogState): LogStateAwaited | undefined {
  switch (state) {
    case LogState.UNSPECIFIED:
      return undefined;
    case LogState.LOGGED:
      return "logged";
    case LogState.WITNESSED:
      return "witnessed";
    default:
      throw invalid("wait_for", "is no state to wait for: logged or witnessed");
  }
}

export const optionalSize = (size: bigint | undefined, field: string): number | undefined =>
  size === undefined ? undefined : numberOf(size, field);

export const checkpointToWire = (tree: SignedTree): MessageInitShape<typeof CheckpointSchema> => ({
  note: tree.note,
  origin: tree.origin,
  treeSize: BigInt(tree.size),
  rootHash: tree.root,
});

export const inclusionToWire = (
  proof: InclusionProof,
): MessageInitShape<typeof GetInclusionProofResponseSchema> => ({
  index: BigInt(proof.index),
  treeSize: BigInt(proof.tree.size),
  leafHash: proof.leafHash,
  path: [...proof.path],
  rootHash: proof.tree.root,
  tlogProof: proof.text ?? "",
});

export const consistencyToWire = ({
  old,
  tree,
  path,
}: ConsistencyProof): MessageInitShape<typeof GetConsistencyProofResponseSchema> => ({
  oldSize: BigInt(old.size),
  treeSize: BigInt(tree.size),
  path: [...path],
  oldRootHash: old.root,
  rootHash: tree.root,
});

// An entry is ASCII.
const entryBytes = (entry: string): Uint8Array => Buffer.from(entry, "latin1");

export const entryToWire = (answer: EntryAnswer): MessageInitShape<typeof GetEntryResponseSchema> => ({
  index: BigInt(answer.index),
  kind: kindToWire[answer.kind],
  entry: entryBytes(answer.entry),
  leafHash: answer.leafHash,
  treeSize: BigInt(answer.treeSize),
});

export function coverageToWire(coverage: Coverage): MessageInitShape<typeof CoverageSchema> {
  const { index, entry, leafHash, path, covers } = coverage;
  return {
    index: BigInt(index),
    entry: entryBytes(entry),
    leafHash,
    path: [...path],
    coveredAt: timestampFromMs(covers.atMs),
    fromOffset: BigInt(covers.from),
    toOffset: BigInt(covers.to),
    firstIndex: BigInt(covers.first),
    count: BigInt(covers.n),
    counts: countsToWire(covers.counts),
    listHash: Buffer.from(covers.list, "base64url"),
  };
}
