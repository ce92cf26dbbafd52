/** What two scopes have in common. */
import type { Scope } from "./caller.ts";

type Names = readonly string[] | undefined;

const commonNames = (a: Names, b: Names): Names =>
  a === undefined ? b : b === undefined ? a : a.filter((name) => b.includes(name));

const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

export const commonScope = (a: Scope, b: Scope): Scope => ({
  tenants: commonNames(a.tenants, b.tenants),
  producerServices: commonNames(a.producerServices, b.producerServices),
  entityTypes: commonNames(a.entityTypes, b.entityTypes),
  ownershipIds: commonNames(a.ownershipIds, b.ownershipIds),
  fromMs: latest(a.fromMs, b.fromMs),
  toMs: earliest(a.toMs, b.toMs),
  personal: a.personal && b.personal,
});

/** Whether all that the inner one reaches and shows, the outer one does. */
export const isWithin = (inner: Scope, outer: Scope): boolean =>
  // Made by the same function both times, so that names lie in one order and what is undefined was left out.
  JSON.stringify(commonScope(inner, outer)) === JSON.stringify(commonScope(inner, inner));
