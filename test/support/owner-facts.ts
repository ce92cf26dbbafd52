/** What events say of the owners of their data, read from their bytes and not by intake; and the register of ownerships held against it. */
import type { OwnershipKey } from "../../src/core/ids.ts";
import type { HistoryReader, OwnershipDocument } from "../../src/ports/history-reader.ts";

type Facts = {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly producers: ReadonlySet<string>;
};
export type OwnedEvent = { readonly owner: string; readonly atMs: number; readonly producer: string };
/** By tenant and id of the ownership. */
export type Owners = Map<string, Facts>;

const unknown: Facts = { firstMs: Infinity, lastMs: -Infinity, producers: new Set() };
const defaultTenant = "default";
const nameOf = (tenant: string, ownershipId: string): string => `${tenant}/${ownershipId}`;

type Told = {
  readonly producer_service: string;
  readonly timestamp: string;
  readonly metadata: { readonly ownership_id?: string; readonly tenant_id?: string };
};

/** Undefined: of nobody's data. */
export function ownedEvent(value: string): OwnedEvent | undefined {
  const { producer_service: producer, timestamp, metadata }: Told = JSON.parse(value);
  const { ownership_id: id, tenant_id: tenant = defaultTenant } = metadata;
  return id === undefined ? undefined : { owner: nameOf(tenant, id), atMs: Date.parse(timestamp), producer };
}

export function noteOwned(owners: Owners, event: OwnedEvent | undefined): void {
  if (event === undefined) return;
  const { owner, atMs, producer } = event;
  const { firstMs, lastMs, producers } = factsOf(owners, owner);
  owners.set(owner, {
    firstMs: Math.min(firstMs, atMs),
    lastMs: Math.max(lastMs, atMs),
    producers: producers.has(producer) ? producers : new Set([...producers, producer]),
  });
}

const factsOf = (owners: Owners, name: string): Facts => owners.get(name) ?? unknown;

const factsIn = ({ firstEventAtMs, lastEventAtMs, producers }: OwnershipDocument): Facts => ({
  firstMs: firstEventAtMs ?? Infinity,
  lastMs: lastEventAtMs ?? -Infinity,
  producers: new Set(producers),
});

const covers = (one: Facts, other: Facts): boolean =>
  one.firstMs <= other.firstMs && one.lastMs >= other.lastMs && other.producers.isSubsetOf(one.producers);

const said = ({ firstMs, lastMs, producers }: Facts): string =>
  `${firstMs} to ${lastMs} by ${[...producers].sort()}`;

/** The register says all that is due, and nothing that is not stored. A document without facts is that of a key whose event never was. */
export function ownerProblems(
  register: readonly OwnershipDocument[],
  due: Owners,
  stored: Owners = due,
): readonly string[] {
  const told = new Map(
    register.map((document) => [
      nameOf(document.tenant, document.ownershipId ?? document.ownership),
      factsIn(document),
    ]),
  );
  return [...new Set([...told.keys(), ...due.keys()])].flatMap((name) => {
    const [tells, least, most] = [factsOf(told, name), factsOf(due, name), factsOf(stored, name)];
    if (covers(tells, least) && covers(most, tells)) return [];
    return [`${name}: ${said(tells)}; due is ${said(least)}, stored ${said(most)}`];
  });
}

const pageSize = 1_000;

export async function allOwnerships(
  history: Pick<HistoryReader, "ownerships">,
  signal: AbortSignal,
): Promise<readonly OwnershipDocument[]> {
  const all: OwnershipDocument[] = [];
  for (let after: OwnershipKey | undefined; ; after = all.at(-1)?.ownership) {
    const page = await history.ownerships({ tenant: undefined, after, limit: pageSize }, signal);
    all.push(...page);
    if (page.length < pageSize) return all;
  }
}
