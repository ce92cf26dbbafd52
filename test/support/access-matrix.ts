/** Who may do what, written down once more: the table that every transport is held against. Not made from src/access. */
import { type Role, roles } from "../../src/core/caller.ts";

/** What a caller bounded to the own tenant gets when it asks for the foreign one. */
type Foreign = "denied" | "absent" | "empty" | "answered";
type Row = {
  readonly roles: readonly Role[];
  /** `whole`: not even the own tenant's, for who is bounded. */
  readonly foreign: Foreign | "whole";
};
const readers: readonly Role[] = ["reader", "auditor", "dpo"];

// biome-ignore format: a table
export const matrix = {
  GetRecord: { roles: readers, foreign: "absent" },
  GetHistory: { roles: readers, foreign: "denied" },
  GetState: { roles: readers, foreign: "denied" },
  CompareVersions: { roles: readers, foreign: "denied" },
  ListChanges: { roles: readers, foreign: "denied" },
  SearchRecords: { roles: readers, foreign: "empty" },
  SummarizeRecords: { roles: readers, foreign: "answered" },
  GetOwnership: { roles: ["dpo"], foreign: "denied" },
  ListOwnerships: { roles: ["dpo"], foreign: "denied" },
  ListOwnedRecords: { roles: ["dpo"], foreign: "denied" },
  GetCheckpoint: { roles: readers, foreign: "answered" },
  GetInclusionProof: { roles: readers, foreign: "absent" },
  GetConsistencyProof: { roles: readers, foreign: "answered" },
  GetEntry: { roles: readers, foreign: "absent" },
  GetCoverage: { roles: readers, foreign: "answered" },
  GetIntake: { roles: ["operator"], foreign: "whole" },
  ListOutcomes: { roles: ["operator"], foreign: "whole" },
  SkipOffsets: { roles: ["operator"], foreign: "whole" },
  ResumePartition: { roles: ["operator"], foreign: "whole" },
  ReplayDeadLetters: { roles: ["operator"], foreign: "whole" },
  PublishEvent: { roles: ["producer"], foreign: "denied" },
  PublishEvents: { roles: ["producer"], foreign: "denied" },
  AskPersonalAccess: { roles: ["auditor", "dpo"], foreign: "answered" },
  ApprovePersonalAccess: { roles: ["dpo", "admin"], foreign: "whole" },
  ListPersonalAccess: { roles: ["dpo", "admin"], foreign: "whole" },
  GetCaller: { roles, foreign: "answered" },
  CreateViewerToken: { roles: readers, foreign: "answered" },
} as const satisfies Readonly<Record<string, Row>>;
/** What answers over REST alone. */
export const overRestAlone = {
  GetIpHistory: { roles: readers, foreign: "empty" },
  GetSuspiciousActivity: { roles: readers, foreign: "empty" },
} as const satisfies Readonly<Record<string, Row>>;
/** Streams and long-running operations: who may call them. What they tell is narrowed as searches are. */
export const lasting: Readonly<Record<string, readonly Role[]>> = {
  TailRecords: readers,
  ExportRecords: ["auditor"],
  ReadExport: ["auditor"],
  ListOperations: ["auditor"],
  GetOperation: ["auditor"],
  WaitOperation: ["auditor"],
  CancelOperation: ["auditor"],
  DeleteOperation: ["auditor"],
};
export type MatrixMethod = keyof typeof matrix;
export type RestMethod = MatrixMethod | keyof typeof overRestAlone;

export const tenants = ["own", "foreign"] as const;
export type Tenant = (typeof tenants)[number];
export type Reached = "answered" | "empty" | "absent" | "denied";

export function expected(role: Role, isBounded: boolean, method: RestMethod, tenant: Tenant): Reached {
  const { roles, foreign }: Row = { ...matrix, ...overRestAlone }[method];
  if (!roles.includes(role)) return "denied";
  if (!isBounded) return "answered";
  if (foreign === "whole") return "denied";
  return tenant === "own" ? "answered" : foreign;
}
