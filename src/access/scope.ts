/** Scopes as a filter: who may see a record is said by the predicate that says whether it is found. */
import type { Scope } from "../core/caller.ts";
import { allOf, anyOf, type Comparison, compare, type Filter } from "../core/filter.ts";
import { searchable } from "../core/projection.ts";
import { isUnbounded } from "./policy.ts";

const oneOf = (field: Comparison["field"], values: readonly string[] | undefined): readonly Filter[] =>
  values === undefined ? [] : [anyOf(values.map((value) => compare(field, "=", searchable(value))))];

const filterOf = (scope: Scope): Filter =>
  allOf([
    ...oneOf("tenant", scope.tenants),
    ...oneOf("producer_service", scope.producerServices),
    ...oneOf("entity_type", scope.entityTypes),
    ...oneOf("ownership_id", scope.ownershipIds),
    ...(scope.fromMs === undefined ? [] : [compare("recorded_at", ">=", scope.fromMs)]),
    ...(scope.toMs === undefined ? [] : [compare("recorded_at", "<", scope.toMs)]),
  ]);

/** Holds for the records in any of the scopes; undefined where that is every record. */
export const filterOfScopes = (scopes: readonly Scope[]): Filter | undefined =>
  scopes.some(isUnbounded) ? undefined : anyOf(scopes.map(filterOf));
