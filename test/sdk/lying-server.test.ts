/** What a server that lies can do to who gathers evidence from it: nothing but to get a verdict that is no pass, or an end. */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type sendUnaryData, status } from "@grpc/grpc-js";
import { expect, test } from "@jest/globals";
import { entryBytesMax } from "../../src/core/leaf.ts";
import { hashBytes, pathHashesMax } from "../../src/core/merkle.ts";
import {
  type GetCoverageResponseSchema,
  TransparencyService,
} from "../../src/gen/lastro/v1/transparency_pb.ts";
import { gatherEvidence, gatheredLeavesMax } from "../../src/sdk/gather-evidence.ts";
import { type BundleScope, noTrust, verifyBundle } from "../../src/sdk/verify.ts";
import { serviceDefinition } from "../../src/servers/grpc/service-definition.ts";
import { ridAt, src } from "../support/evidence-world.ts";
import { watchedLog } from "../support/witness.ts";

const size = 20;
const log = watchedLog("log.test", size);
const range: BundleScope = { kind: "range", src, from: 0, to: 100 };
const record: BundleScope = { kind: "record", rid: ridAt(0) };
const more = "more";

type Method = (typeof TransparencyService.methods)[number];
type Lies = Partial<Record<Method["localName"], () => object>>;

/** Tells a checkpoint of `leaves`, the lies, and of all else that it is not there. */
async function lyingServer(lies: Lies, leaves: bigint = BigInt(size)) {
  const answers: Lies = {
    getCheckpoint: () => ({ checkpoint: { note: log.note(size), treeSize: leaves } }),
    ...lies,
  };
  const server = new Server();
  const handlerOf =
    ({ localName, output }: { readonly localName: Method["localName"]; readonly output: DescMessage }) =>
    (_: unknown, answer: sendUnaryData<unknown>) => {
      const lie = answers[localName];
      if (lie === undefined) answer({ code: status.NOT_FOUND, details: "not there" });
      else answer(null, create(output, lie() as MessageInitShape<typeof output>));
    };
  const handlers = TransparencyService.methods.map(
    (method) => [method.localName, handlerOf(method)] as const,
  );
  server.addService(serviceDefinition(TransparencyService), Object.fromEntries(handlers));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => server.forceShutdown() };
}
type Page = MessageInitShape<typeof GetCoverageResponseSchema>;
const pages = (page: Page): Lies => ({ getCoverage: () => page });

test("a coverage entry that counts more leaves than are gathered is refused before any of them is held", async () => {
  const index = 2n ** 40n;
  using server = await lyingServer(pages({ coverages: [{ firstIndex: 0n, index }] }), index + 1n);
  await expect(gatherEvidence(server.address, range, Date.now)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(`more than ${gatheredLeavesMax} leaves`),
  });
});

test("pages without end, of entries that begin behind their end, are refused", async () => {
  const coverages = Array.from({ length: 100 }, () => ({ firstIndex: 19n, index: 3n }));
  using server = await lyingServer(pages({ coverages, nextPageToken: more }));
  await expect(gatherEvidence(server.address, range, Date.now)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("pages without end that hold nothing, or nothing below the checkpoint, end with the first: the verdict is incomplete", async () => {
  const beyond = { firstIndex: BigInt(size), index: BigInt(size) };
  for (const coverages of [[], [beyond]]) {
    using server = await lyingServer(pages({ coverages, nextPageToken: more }));
    const evidence = await gatherEvidence(server.address, range, Date.now);
    expect(evidence.entries).toEqual([]);
    expect(verifyBundle(range, evidence, { ...noTrust, vkeys: [log.vkey] })).toMatchObject({
      verdict: "incomplete",
      findings: [{ code: "INPUT_MISSING" }],
    });
  }
});

test("of an entry and a proof that are too large no more is held than shows that they are none", async () => {
  const hash = new Uint8Array(5_000);
  const path = Array.from({ length: 1_000 }, () => hash);
  using server = await lyingServer({
    getEntry: () => ({ entry: new Uint8Array(1_000_000).fill(0x20) }),
    getInclusionProof: () => ({ index: 3n, path }),
    getConsistencyProof: () => ({ path }),
  });
  const evidence = await gatherEvidence(server.address, record, Date.now, { keptSizes: [7] });
  const [entry] = evidence.entries;
  expect(entry?.entry.length).toBeLessThanOrEqual(entryBytesMax + 1);
  for (const proof of [entry?.path ?? [], evidence.consistency[0]?.path ?? []]) {
    expect(proof).toHaveLength(pathHashesMax + 1);
    expect(Math.max(...proof.map(({ buffer }) => buffer.byteLength))).toBe(hashBytes + 1);
  }
  const trust = { ...noTrust, vkeys: [log.vkey], pin: log.note(7) };
  expect(verifyBundle(record, evidence, trust)).toMatchObject({
    verdict: "broken",
    counts: { INCLUSION_INVALID: 1, CONSISTENCY_INVALID: 1 },
  });
});
