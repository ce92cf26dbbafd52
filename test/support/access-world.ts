/** Two tenants, of each a created and an updated account, in a world whose log holds them; and callers of every role, bounded to one of them or not. */
import { type Caller, roles } from "../../src/core/caller.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { type Tenant, tenants } from "./access-matrix.ts";
import { buildLog } from "./built-log.ts";
import { grant, person } from "./callers.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "./history-world.ts";
import { openGuard } from "./unguarded.ts";

export const callers = roles.flatMap((role) => [
  person(`${role} of own`, grant(role, { tenants: ["own"] })),
  person(`${role} everywhere`, grant(role)),
]);
export const callerOf = (role: string, isBounded: boolean): Caller =>
  callers.find(({ id }) => id.endsWith(`#${role} ${isBounded ? "of own" : "everywhere"}`)) as Caller;
export const nobody = person("nobody");

export type AccessWorld = {
  readonly world: HistoryWorld;
  readonly query: QueryDeps;
  /** Of the first record of each tenant. */
  readonly rids: Readonly<Record<Tenant, string>>;
  readonly indexes: Readonly<Record<Tenant, bigint>>;
};

export async function openAccessWorld(): Promise<AccessWorld> {
  const world = await openHistoryWorld();
  const built = buildLog(world.store.log);
  const rows = await world.publish(
    ...tenants.flatMap((tenant) => [
      { type: "account.created", metadata: { tenant_id: tenant } },
      { type: "account.updated", metadata: { tenant_id: tenant } },
    ]),
  );
  await built.heartbeats(1);
  await built.records(worldSrc, 0, rows);
  await built.publish();
  const firstOf = (tenant: Tenant): number =>
    rows.findIndex(({ projection }) => projection.tenant === tenant);
  const ofEach = <Value>(of: (first: number) => Value): Record<Tenant, Value> => ({
    own: of(firstOf("own")),
    foreign: of(firstOf("foreign")),
  });
  const log = publishedLog({ log: world.store.log, now: world.deps.now });
  return {
    world,
    query: { ...world.deps, log, guard: openGuard },
    rids: ofEach((first) => rows[first]?.rid ?? ""),
    indexes: ofEach((first) => BigInt(1 + first)),
  };
}
