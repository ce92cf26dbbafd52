/** ④ seal: data keys are durable before anything is sealed with them; a body is sealed once, whatever becomes of its version. */
import type { Rid } from "../core/ids.ts";
import type { Rejection } from "../core/outcome.ts";
import type { BatchControl } from "../ports/event-source.ts";
import type { DataKey } from "../privacy/data-keys.ts";
import {
  actorKeyNeed,
  type KeyNeed,
  keyRefText,
  producerKeyNeed,
  subjectKeyNeed,
} from "../privacy/data-keys.ts";
import { type SealedBody, sealEvent } from "../privacy/seal.ts";
import type { IntakeDeps } from "./deps.ts";
import { paceOf } from "./pace.ts";
import { type Candidate, withPureRetries } from "./prepare.ts";

/** Sealed bodies of a batch, by rid. */
export type SealedBodies = Map<Rid, SealedBody>;

/** Seals what is not sealed yet; returns the candidates whose sealing failed by a fault of ours. */
export async function sealCandidates(
  deps: IntakeDeps,
  candidates: readonly Candidate[],
  sealed: SealedBodies,
  control: BatchControl,
): Promise<readonly { readonly candidate: Candidate; readonly rejection: Rejection }[]> {
  const open = candidates.filter((candidate) => !sealed.has(candidate.rid));
  if (open.length === 0) return [];
  const needs = new Map<string, KeyNeed>();
  const needsOf = keyNeeds(deps.now());
  const wanted = open.map((candidate) => {
    const [owner, actor] = needsOf(candidate).map((need) => {
      const text = keyRefText(need);
      needs.set(text, need);
      return text;
    });
    return { candidate, owner, actor };
  });
  const keys = await deps.dataKeys.forSealing([...needs.values()], control.signal);
  const failed: { candidate: Candidate; rejection: Rejection }[] = [];
  const pace = paceOf(control);
  for (const { candidate, owner = "", actor = "" } of wanted) {
    await pace(candidate.event.value);
    const result = withPureRetries(deps, () => sealOne(deps, candidate, keys.get(owner), keys.get(actor)));
    if ("reason" in result) failed.push({ candidate, rejection: result });
    else sealed.set(candidate.rid, result);
  }
  return failed;
}

/** The owner's key, and the actor's where there are identifiers of an actor to cut out. A batch has few tenants, so theirs is made once. */
function keyNeeds(nowMs: number): (candidate: Candidate) => readonly KeyNeed[] {
  const actors = new Map<string, KeyNeed>();
  return ({ envelope, ownership }) => {
    const { tenant, producerService, ownershipId, cuts } = envelope;
    const owner =
      ownership === undefined
        ? producerKeyNeed(tenant, producerService)
        : subjectKeyNeed(tenant, ownership, ownershipId);
    if (cuts.length === 0) return [owner];
    const actor = actors.get(tenant) ?? actorKeyNeed(tenant, nowMs);
    actors.set(tenant, actor);
    return [owner, actor];
  };
}

function sealOne(
  deps: IntakeDeps,
  candidate: Candidate,
  owner: DataKey | undefined,
  actor: DataKey | undefined,
): SealedBody {
  if (owner === undefined) throw new Error("a data key that was asked for is not there");
  return sealEvent(
    {
      event: candidate.event,
      envelope: candidate.envelope,
      classification: candidate.classified,
      rid: candidate.rid,
      catalogueDigest: deps.catalogueDigest,
      owner: { class: candidate.ownership === undefined ? "p" : "s", key: owner },
      actor,
    },
    deps.random,
  );
}
