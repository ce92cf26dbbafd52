/** What looks like an attack in what matches. */

import { operationOf } from "../core/actions.ts";
import { allOf, anyOf, type Filter } from "../core/filter.ts";
import { type Act, type Suspicion, suspicionsIn } from "../core/suspicion.ts";
import { critical, failedAuth, logins } from "./audit-words.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { lookAt } from "./looked-at.ts";
import { permit, requireWhole } from "./permit.ts";
import { contentOf, type RecordView } from "./record-view.ts";
import type { WalkRequest } from "./search-records.ts";
import { requireOn } from "./switched-on.ts";

export type SuspiciousActivity = { readonly suspicions: readonly Suspicion[]; readonly isPartial: boolean };

const telling: Filter = anyOf([critical, failedAuth, logins]);

export async function getSuspiciousActivity(
  deps: QueryDeps,
  { also, ...request }: WalkRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<SuspiciousActivity> {
  const access = requireWhole(deps, permit(deps, caller, "GetSuspiciousActivity"), "filter");
  await requireOn(deps, access, "summaries");
  const acts: Act[] = [];
  const question = { ...request, also: also === undefined ? telling : allOf([also, telling]) };
  const isWhole = await lookAt(deps, question, access, signal, (record) => {
    const act = actOf(record);
    if (act !== undefined) acts.push(act);
  });
  return { suspicions: suspicionsIn(acts), isPartial: !isWhole };
}

/** Undefined where nothing but the entry is left. */
function actOf(record: RecordView): Act | undefined {
  const content = contentOf(record);
  if (content === undefined) return undefined;
  const operation = operationOf(record.eventType);
  return {
    rid: record.rid,
    atMs: content.actionAtMs,
    isLogin: operation === "LOGIN" || operation === "LOGIN_FAILED",
    failed: record.status === "FAILURE",
    severity: record.severity,
    userId: content.actor.id,
    ip: content.actor.ip,
  };
}
