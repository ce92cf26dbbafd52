/** The addresses somebody acted from: from sealed bodies, never from columns. */
import type { Caller, QueryDeps } from "./deps.ts";
import { lookAt } from "./looked-at.ts";
import { permit, requireWhole } from "./permit.ts";
import { contentOf } from "./record-view.ts";
import type { WalkRequest } from "./search-records.ts";
import { requireOn } from "./switched-on.ts";

export type AddressUse = {
  readonly ip: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly services: readonly string[];
};
/** Last seen first. `isPartial`: there were more records than may be looked at. */
export type IpHistory = { readonly addresses: readonly AddressUse[]; readonly isPartial: boolean };

export async function getIpHistory(
  deps: QueryDeps,
  request: WalkRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<IpHistory> {
  const access = requireWhole(deps, permit(deps, caller, "GetIpHistory"), "user_id");
  await requireOn(deps, access, "summaries");
  const uses = new Map<string, AddressUse>();
  const isWhole = await lookAt(deps, request, access, signal, (record) => {
    const content = contentOf(record);
    const ip = content?.actor.ip;
    if (content === undefined || ip === undefined) return;
    const { actionAtMs } = content;
    const known = uses.get(ip) ?? { ip, count: 0, firstMs: actionAtMs, lastMs: actionAtMs, services: [] };
    uses.set(ip, {
      ip,
      count: known.count + 1,
      firstMs: Math.min(known.firstMs, actionAtMs),
      lastMs: Math.max(known.lastMs, actionAtMs),
      services: [...new Set([...known.services, record.producerService])],
    });
  });
  const addresses = [...uses.values()].sort((a, b) => b.lastMs - a.lastMs || (a.ip < b.ip ? -1 : 1));
  return { addresses, isPartial: !isWhole };
}
