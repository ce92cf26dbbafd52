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
  const nowMs = deps.now();
  const needs = new Map<string, KeyNeed>();
  for (const candidate of open) {
    for (const need of needsOf(candidate, nowMs)) needs.set(keyRefText(need), need);
  }
  const keys = await deps.dataKeys.forSealing([...needs.values()], control.signal);
  const failed: { candidate: Candidate; rejection: Rejection }[] = [];
  const pace = paceOf(control);
  for (const candidate of open) {
    await pace(candidate.event.value);
    const result = withPureRetries(deps, () => sealOne(deps, candidate, nowMs, keys));
    if ("reason" in result) failed.push({ candidate, rejection: result });
    else sealed.set(candidate.rid, result);
  }
  return failed;
}

const ownerNeed = ({ envelope, ownership }: Candidate): KeyNeed =>
  ownership === undefined
    ? producerKeyNeed(envelope.tenant, envelope.producerService)
    : subjectKeyNeed(envelope.tenant, ownership, envelope.ownershipId);

/** Events without identifiers of an actor to cut out need no actor's key. */
const needsOf = (candidate: Candidate, nowMs: number): readonly KeyNeed[] =>
  candidate.envelope.cuts.length === 0
    ? [ownerNeed(candidate)]
    : [ownerNeed(candidate), actorKeyNeed(candidate.envelope.tenant, nowMs)];

function sealOne(
  deps: IntakeDeps,
  candidate: Candidate,
  nowMs: number,
  keys: ReadonlyMap<string, DataKey>,
): SealedBody {
  const [owner, actor] = needsOf(candidate, nowMs).map((need) => keys.get(keyRefText(need)));
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
