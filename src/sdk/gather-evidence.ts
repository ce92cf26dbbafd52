/** Asks a running service over gRPC for what a bundle of evidence holds. Believes nothing of it: verifying is a step of its own. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ErrorCode, LastroError } from "../core/errors.ts";
import type { Evidence, EvidenceEntry } from "../core/evidence.ts";
import { entryBytesMax } from "../core/leaf.ts";
import { hashBytes, pathHashesMax } from "../core/merkle.ts";
import { type KeyEntry, type KeyLeaf, namedSigners } from "../core/named-signers.ts";
import { type Checkpoint, CheckpointName, TransparencyService } from "../gen/lastro/v1/transparency_pb.ts";
import { sha256 } from "../lib/sha256.ts";
import { type Connection, failureOf, openConnection, type ServerAccess } from "./connection.ts";
import type { BundleScope } from "./verify.ts";

const callMsMax = 20_000;
const answerBytesMax = 16 * 1024 * 1024;
const coveragesPerPage = 100;
/** Leaves of one bundle that is gathered this way: each costs two calls. */
export const gatheredLeavesMax = 10_000;

type Ask = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
) => Promise<MessageShape<O>>;

export type Wanted = {
  /** Sizes of checkpoints that were kept, so that the proofs from there are asked for. */
  readonly keptSizes?: readonly number[];
  /** Proven under what enough witnesses cosigned, where there is such a checkpoint: the latest carries no cosignatures. */
  readonly witnessed?: boolean;
};

/** What the service has not got yet is left out. `now` is the machine's clock, against which gRPC holds deadlines. Throws NOT_FOUND, DEADLINE_EXCEEDED, INVALID_ARGUMENT, UNAUTHENTICATED and PERMISSION_DENIED as the service does; SOURCE_UNAVAILABLE when nothing answers. */
export async function gatherEvidence(
  address: string,
  scope: BundleScope,
  now: () => number,
  { keptSizes = [], witnessed = false }: Wanted = {},
  access: ServerAccess = {},
): Promise<Evidence> {
  const options = { "grpc.max_receive_message_length": answerBytesMax };
  const { client, metadata } = openConnection(address, access, options);
  try {
    const ask = askOf({ client, metadata }, address, now);
    const checkpoint = await checkpointOf(ask, witnessed);
    if (checkpoint === undefined)
      throw new LastroError("NOT_FOUND", "the service has published no checkpoint");
    const size = Number(checkpoint.treeSize);
    const indexes = scope.kind === "record" ? [{ rid: scope.rid }] : await indexesOf(ask, scope, size);
    const entries: EvidenceEntry[] = [];
    for (const at of indexes) entries.push(...(await entryAt(ask, at, size)));
    const consistency: Evidence["consistency"][number][] = [];
    for (const kept of new Set(keptSizes)) consistency.push(...(await consistencyFrom(ask, kept, size)));
    const signers = await namedSigners(sha256, checkpoint.note, (leaf) => keyEntry(ask, leaf));
    const taken = new Set(entries.map(({ index }) => index));
    for (const { by } of signers)
      if (by.index < size && !taken.has(by.index)) entries.push(...(await keyShown(ask, by, size)));
    return {
      checkpoint: checkpoint.note,
      vkeys: signers.map(({ vkey }) => vkey),
      entries,
      outcomes: [],
      consistency,
    };
  } finally {
    client.close();
  }
}

const askOf =
  ({ client, metadata }: Connection, address: string, now: () => number): Ask =>
  (method, request) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, request),
        metadata,
        { deadline: now() + callMsMax },
        (error, answer) => {
          if (error !== null) reject(failureOf(error, address, method.name));
          else if (answer !== undefined) resolve(answer);
        },
      );
    });

async function checkpointOf(ask: Ask, witnessed: boolean): Promise<Checkpoint | undefined> {
  const named = (name: CheckpointName) => ask(TransparencyService.method.getCheckpoint, { name });
  const cosigned = witnessed ? await unless(notYet, named(CheckpointName.WITNESSED)) : undefined;
  return (cosigned ?? (await named(CheckpointName.LATEST))).checkpoint;
}

type LeafName = { readonly rid: string } | { readonly index: bigint };

/** Empty where the tree does not hold it yet. */
async function entryAt(ask: Ask, name: LeafName, size: number): Promise<readonly EvidenceEntry[]> {
  const by =
    "rid" in name
      ? ({ case: "rid", value: name.rid } as const)
      : ({ case: "index", value: name.index } as const);
  const { getEntry, getInclusionProof } = TransparencyService.method;
  const given = await unless(notYet, ask(getEntry, { by }));
  if (given === undefined) return [];
  const proof = await unless(notYet, ask(getInclusionProof, { by, treeSize: BigInt(size) }));
  if (proof === undefined) return [];
  const entry = new TextDecoder().decode(keptOf(given.entry, entryBytesMax));
  return [entryWith(proof, entry)];
}

const entryWith = (
  { index, path }: { readonly index: bigint; readonly path: readonly Uint8Array[] },
  entry: string,
): EvidenceEntry => ({
  index: Number(index),
  entry,
  path: pathOf(path),
  proven: undefined,
  body: undefined,
});

/** The entry that names a signer, with its proof: who kept a checkpoint above it knows the key by that. */
async function keyShown(
  ask: Ask,
  { index, entry }: KeyEntry,
  size: number,
): Promise<readonly EvidenceEntry[]> {
  const by = { case: "index", value: BigInt(index) } as const;
  const request = { by, treeSize: BigInt(size) };
  const proof = await unless("NOT_FOUND", ask(TransparencyService.method.getInclusionProof, request));
  return proof === undefined ? [] : [entryWith(proof, entry)];
}

/** What is too long verifies as nothing, so its beginning is enough: in memory of its own, for an answer may be far larger. */
const keptOf = (bytes: Uint8Array, bytesMax: number): Uint8Array =>
  Uint8Array.from(bytes.subarray(0, bytesMax + 1));
const pathOf = (path: readonly Uint8Array[]): readonly Uint8Array[] =>
  path.slice(0, pathHashesMax + 1).map((hash) => keptOf(hash, hashBytes));

/** Coverage entries of the range that lie under the checkpoint, and the records before each. */
async function indexesOf(
  ask: Ask,
  { src, from, to }: Extract<BundleScope, { kind: "range" }>,
  size: number,
): Promise<readonly LeafName[]> {
  const indexes: LeafName[] = [];
  for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
    const request = {
      src,
      fromOffset: BigInt(from),
      toOffset: BigInt(to),
      pageSize: coveragesPerPage,
      pageToken,
    };
    const page: MessageShape<typeof TransparencyService.method.getCoverage.output> = await ask(
      TransparencyService.method.getCoverage,
      request,
    );
    for (const { index, firstIndex } of page.coverages) {
      // Of one source later entries lie further on.
      if (index >= BigInt(size)) return indexes;
      const records = index > firstIndex ? index - firstIndex : 0n;
      if (BigInt(indexes.length) + records >= BigInt(gatheredLeavesMax))
        throw new LastroError(
          "INVALID_ARGUMENT",
          `the range has more than ${gatheredLeavesMax} leaves; ask for less, or verify the whole log`,
        );
      for (let at = firstIndex; at < index; at++) indexes.push({ index: at });
      indexes.push({ index });
    }
    const isLast = page.nextPageToken === "" || page.coverages.length === 0;
    pageToken = isLast ? undefined : page.nextPageToken;
  }
  return indexes;
}

async function keyEntry(ask: Ask, leaf: KeyLeaf): Promise<KeyEntry | undefined> {
  const by =
    "index" in leaf
      ? ({ case: "index", value: BigInt(leaf.index) } as const)
      : ({ case: "control", value: leaf.control } as const);
  const answer = await unless("NOT_FOUND", ask(TransparencyService.method.getEntry, { by }));
  return answer && { index: Number(answer.index), entry: new TextDecoder().decode(answer.entry) };
}

/** How the service refuses what its published log does not hold, or not under the checkpoint asked for. */
const notYet = "FAILED_PRECONDITION";

/** Undefined where the service ends the call so. */
async function unless<T>(code: ErrorCode, call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof LastroError && error.code === code) return undefined;
    throw error;
  }
}

/** Empty where the service publishes less than was kept: nothing leads there then, which is for the verdict to say. */
async function consistencyFrom(ask: Ask, kept: number, size: number): Promise<Evidence["consistency"]> {
  if (kept === size || kept === 0) return [];
  const [from, to] = [Math.min(kept, size), Math.max(kept, size)];
  const sizes = { oldSize: BigInt(from), treeSize: BigInt(to) };
  const proof = await unless(notYet, ask(TransparencyService.method.getConsistencyProof, sizes));
  return proof === undefined ? [] : [{ from, to, path: pathOf(proof.path) }];
}
