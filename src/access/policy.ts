/** Who may do what: a table of roles, a table of methods (docs/policy.md). What is in neither is denied. Pure and total. */
import type { Caller, Role, Scope } from "../core/caller.ts";

export const permissions = [
  "read", "prove", "owners", "export", "operate", "publish", "ask", "approve", "manage",
] as const; // biome-ignore format: a list
export type Permission = (typeof permissions)[number];

export const permitted: Readonly<Record<Role, readonly Permission[]>> = {
  reader: ["read", "prove"],
  auditor: ["read", "prove", "export", "ask"],
  dpo: ["read", "prove", "owners", "ask", "approve"],
  operator: ["operate"],
  admin: ["approve", "manage"],
  producer: ["publish"],
};

/**
 * How a grant's scope bounds a method. `records`: its answer is narrowed to them. `owners`: it sums over producers, entity types and times, so grants bounded
 * by these do not count. `any`: it tells of no record, so every grant will do. `whole`: it is about all of the service, so only a grant without bounds will do.
 */
type Reach = "records" | "owners" | "any" | "whole";

/** `everybody`: who is known at all, with grants or without. */
type Need = Permission | "everybody";

/** By the name of the RPC; what answers the same over another transport has the same name. */
export const methods = {
  GetRecord: ["read", "records"],
  GetHistory: ["read", "records"],
  GetState: ["read", "records"],
  CompareVersions: ["read", "records"],
  ListChanges: ["read", "records"],
  SearchRecords: ["read", "records"],
  TailRecords: ["read", "records"],
  SummarizeRecords: ["read", "records"],
  GetIpHistory: ["read", "records"],
  GetSuspiciousActivity: ["read", "records"],
  ExportRecords: ["export", "records"],
  ReadExport: ["export", "any"],
  ListOperations: ["export", "any"],
  GetOperation: ["export", "any"],
  WaitOperation: ["export", "any"],
  CancelOperation: ["export", "any"],
  DeleteOperation: ["export", "any"],
  GetOwnership: ["owners", "owners"],
  ListOwnerships: ["owners", "owners"],
  ListOwnedRecords: ["owners", "records"],
  GetCheckpoint: ["prove", "any"],
  GetInclusionProof: ["prove", "records"],
  GetConsistencyProof: ["prove", "any"],
  GetEntry: ["prove", "records"],
  GetCoverage: ["prove", "any"],
  GetIntake: ["operate", "whole"],
  ListOutcomes: ["operate", "whole"],
  SkipOffsets: ["operate", "whole"],
  ResumePartition: ["operate", "whole"],
  ReplayDeadLetters: ["operate", "whole"],
  PublishEvent: ["publish", "records"],
  PublishEvents: ["publish", "records"],
  AskPersonalAccess: ["ask", "any"],
  ApprovePersonalAccess: ["approve", "whole"],
  ListPersonalAccess: ["approve", "whole"],
  GetCaller: ["everybody", "any"],
  CreateViewerToken: ["read", "any"],
} as const satisfies Readonly<Record<string, readonly [Need, Reach]>>;
export type Method = keyof typeof methods;

const lists = (scope: Scope) => [
  scope.tenants,
  scope.producerServices,
  scope.entityTypes,
  scope.ownershipIds,
];
const isEmpty = (scope: Scope): boolean => lists(scope).some((list) => list?.length === 0);
export const isUnbounded = ({ fromMs, toMs, ...scope }: Scope): boolean =>
  fromMs === undefined &&
  toMs === undefined &&
  lists({ fromMs, toMs, ...scope }).every((list) => list === undefined);

function fits(scope: Scope, reach: Reach): boolean {
  switch (reach) {
    case "records":
    case "any":
      return true;
    case "owners":
      return isUnbounded({ ...scope, tenants: undefined, ownershipIds: undefined });
    case "whole":
      return isUnbounded(scope);
  }
}

export const needsNoGrant = (method: string): boolean =>
  Object.hasOwn(methods, method) && methods[method as Method][0] === "everybody";

/** Where the caller may do it; nowhere when there is no such method. */
export function scopesFor({ grants }: Caller, method: string): readonly Scope[] {
  if (!Object.hasOwn(methods, method)) return [];
  const [need, reach] = methods[method as Method];
  return grants
    .filter(({ role }) => need === "everybody" || permitted[role].includes(need))
    .map(({ scope }) => scope)
    .filter((scope) => !isEmpty(scope) && fits(scope, reach));
}
