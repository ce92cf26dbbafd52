/** Callers, grants and scopes: domain ⇄ generated messages. Part of the wire, see wire.ts. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ViewerRequest } from "../access/viewer-tokens.ts";
import { viewerLifeMsMax } from "../access/viewer-tokens.ts";
import type { Caller, Grant, Scope } from "../core/caller.ts";
import {
  type CallerGrantSchema,
  CallerKind,
  CallerRole,
  type CallerScope,
  type CallerScopeSchema,
  type CreateViewerTokenRequest,
  type GetCallerResponseSchema,
  type ScopeNames,
} from "../gen/lastro/v1/identity_pb.ts";
import { invalid } from "../query/deps.ts";
import { msOf } from "./wire.ts";

const namesMax = 1_000;
const nameCharactersMax = 256;
const lifeMsMin = 1_000;

const kindToWire = {
  anonymous: CallerKind.ANONYMOUS,
  person: CallerKind.PERSON,
  service: CallerKind.SERVICE,
  viewer: CallerKind.VIEWER,
} as const;
const roleToWire = {
  reader: CallerRole.READER,
  auditor: CallerRole.AUDITOR,
  dpo: CallerRole.DPO,
  operator: CallerRole.OPERATOR,
  admin: CallerRole.ADMIN,
  producer: CallerRole.PRODUCER,
} as const;

export const callerToWire = ({
  id,
  kind,
  grants,
}: Caller): MessageInitShape<typeof GetCallerResponseSchema> => ({
  id,
  kind: kindToWire[kind],
  grants: grants.map(grantToWire),
});

export const grantToWire = ({ role, scope }: Grant): MessageInitShape<typeof CallerGrantSchema> => ({
  role: roleToWire[role],
  scope: scopeToWire(scope),
});

function scopeToWire(scope: Scope): MessageInitShape<typeof CallerScopeSchema> {
  const names = (list: readonly string[] | undefined) => list && { names: [...list] };
  const [tenants, producerServices] = [names(scope.tenants), names(scope.producerServices)];
  const [entityTypes, ownershipIds] = [names(scope.entityTypes), names(scope.ownershipIds)];
  return {
    personal: scope.personal,
    ...(tenants && { tenants }),
    ...(producerServices && { producerServices }),
    ...(entityTypes && { entityTypes }),
    ...(ownershipIds && { ownershipIds }),
    ...(scope.fromMs !== undefined && { fromTime: timestampFromMs(scope.fromMs) }),
    ...(scope.toMs !== undefined && { toTime: timestampFromMs(scope.toMs) }),
  };
}

export const viewerRequestFromWire = ({ scope, lifetime }: CreateViewerTokenRequest): ViewerRequest => ({
  scope: scopeFromWire(scope),
  lifeMs: lifeFromWire(lifetime),
});

const scopeFromWire = (scope: CallerScope | undefined): Scope => ({
  tenants: namesFromWire(scope?.tenants, "scope.tenants"),
  producerServices: namesFromWire(scope?.producerServices, "scope.producer_services"),
  entityTypes: namesFromWire(scope?.entityTypes, "scope.entity_types"),
  ownershipIds: namesFromWire(scope?.ownershipIds, "scope.ownership_ids"),
  fromMs: scope?.fromTime && msOf(scope.fromTime, "scope.from_time"),
  toMs: scope?.toTime && msOf(scope.toTime, "scope.to_time"),
  personal: scope?.personal ?? false,
});

function namesFromWire(list: ScopeNames | undefined, field: string): readonly string[] | undefined {
  const names = list?.names;
  if (names === undefined) return undefined;
  if (names.length > namesMax) throw invalid(field, `has more than ${namesMax} names`);
  if (names.some((name) => name === "" || name.length > nameCharactersMax))
    throw invalid(field, `has a name that is empty or longer than ${nameCharactersMax} characters`);
  return names;
}

function lifeFromWire(lifetime: Duration | undefined): number {
  if (lifetime === undefined) return viewerLifeMsMax;
  const lifeMs = durationMs(lifetime);
  if (lifeMs < lifeMsMin || lifeMs > viewerLifeMsMax)
    throw invalid("lifetime", `must be from ${lifeMsMin / 1_000} s to ${viewerLifeMsMax / 1_000} s`);
  return lifeMs;
}
