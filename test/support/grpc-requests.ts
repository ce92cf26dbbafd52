/** Valid requests of every method, about records of tenants `own` and `foreign` in a world of tests, and operations that do nothing. */
import { CheckpointName } from "../../src/gen/lastro/v1/transparency_pb.ts";
import type { Operations } from "../../src/ports/operations.ts";
import { eventText, ownership, worldSrc } from "./history-world.ts";

export const quietOperations: Operations = {
  intake: async () => ({ partitions: [], breaker: undefined }),
  outcomes: async () => [],
  skip: async (_src, _from, to) => to,
  resume: async () => undefined,
  resumeBreaker: async () => undefined,
  replay: async (positions) => positions.map(() => "replayed"),
};

const eventOf = (tenant: string) => ({ value: Buffer.from(eventText({ metadata: { tenant_id: tenant } })) });
const absentExport = `operations/export-${"0".repeat(32)}`;
const byRid = (rid: string) => ({ by: { case: "rid", value: rid } });

/** `rid` is of a record of the tenant. */
const requests: Readonly<Record<string, (tenant: string, rid: string) => object>> = {
  GetRecord: (_, rid) => byRid(rid),
  GetHistory: (tenant) => ({ entity: entityOf(tenant), includeInactive: true }),
  GetState: (tenant) => ({ entity: entityOf(tenant) }),
  CompareVersions: (tenant) => ({ entity: entityOf(tenant), fromVersion: 1n, toVersion: 2n }),
  SearchRecords: (tenant) => ({ filter: `tenant = ${tenant}` }),
  GetOwnership: (tenant) => ({ tenant, ownershipId: ownership }),
  ListOwnerships: (tenant) => ({ tenant }),
  ListOwnedRecords: (tenant) => ({ tenant, ownershipId: ownership }),
  GetCheckpoint: () => ({ name: CheckpointName.LATEST }),
  GetInclusionProof: (_, rid) => byRid(rid),
  GetConsistencyProof: () => ({ oldSize: 1n }),
  GetEntry: (_, rid) => byRid(rid),
  GetCoverage: () => ({ src: worldSrc }),
  GetIntake: () => ({}),
  ListOutcomes: () => ({ src: worldSrc }),
  SkipOffsets: () => ({ src: worldSrc, fromOffset: 1n, toOffset: 2n, reason: "poison" }),
  ResumePartition: () => ({ target: { case: "breaker", value: true } }),
  ReplayDeadLetters: () => ({ positions: [{ topic: "audit.dlq", partition: 0, offset: 1n }] }),
  ListChanges: (tenant) => ({ entity: entityOf(tenant) }),
  SummarizeRecords: (tenant) => ({ filter: `tenant = ${tenant}`, groupBy: ["action"] }),
  TailRecords: (tenant) => ({ filter: `tenant = ${tenant}`, from: { case: "index", value: 0n } }),
  ExportRecords: (tenant) => ({ filter: `tenant = ${tenant}`, format: 1 }),
  ReadExport: () => ({ name: absentExport }),
  ListOperations: () => ({ name: "operations" }),
  GetOperation: () => ({ name: absentExport }),
  WaitOperation: () => ({ name: absentExport }),
  CancelOperation: () => ({ name: absentExport }),
  DeleteOperation: () => ({ name: absentExport }),
  PublishEvent: (tenant) => ({ event: eventOf(tenant) }),
  PublishEvents: (tenant) => ({ events: [eventOf("own"), eventOf(tenant)] }),
  AskPersonalAccess: () => ({ reason: "complaint 17" }),
  ApprovePersonalAccess: () => ({ id: "1" }),
  ListPersonalAccess: () => ({}),
  GetCaller: () => ({}),
  CreateViewerToken: () => ({}),
};

export function requestOf(method: string, tenant: string, rid: string): object {
  const make = requests[method];
  if (make === undefined) throw new Error(`no request of ${method}`);
  return make(tenant, rid);
}

export const entityOf = (tenant: string) => ({
  tenant,
  namespace: "team_service",
  entityType: "account",
  entityId: "a-1",
});
