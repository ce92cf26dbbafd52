/** ④ seal: data keys are durable before anything is sealed with them; a body is sealed once, whatever becomes of its version. */
import type { OwnershipKey, Rid } from "../core/ids.ts";
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
import type { SealedBody } from "../privacy/seal.ts";
import type { IntakeDeps } from "./deps.ts";
import { type Candidate, sealOne } from "./stations.ts";

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
  const needed = keyNeeds(deps.now());
  const wanted = open.map((candidate) => needed.of(candidate));
  const keys = await deps.dataKeys.forSealing(needed.all(), control.signal);
  const keyOf = (text: string): DataKey => {
    const key = keys.get(text);
    if (key === undefined) throw new Error("a data key that was asked for is not there");
    return key;
  };
  const failed: { candidate: Candidate; rejection: Rejection }[] = [];
  const seal = (candidate: Candidate, at: number): void => {
    const { owner, actor } = wanted[at] as KeysOf;
    const actorKey = actor === undefined ? undefined : keyOf(actor);
    const result = sealOne(deps.stations, candidate, keyOf(owner), actorKey);
    if ("reason" in result) failed.push({ candidate, rejection: result });
    else sealed.set(candidate.rid, result);
  };
  await deps.pace(open, ({ event }) => event.value, control, seal);
  return failed;
}

/** By `keyRefText`. */
type KeysOf = { readonly owner: string; readonly actor: string | undefined };

/** The owner's key, and the actor's where there are identifiers of an actor to cut out. Each key of a batch is named once. */
function keyNeeds(nowMs: number) {
  const needs = new Map<string, KeyNeed>();
  const subjects = new Map<OwnershipKey, string>();
  const actors = new Map<string, string>();
  const note = (need: KeyNeed): string => {
    const text = keyRefText(need);
    needs.set(text, need);
    return text;
  };
  const noteIn = <K>(noted: Map<K, string>, key: K, need: () => KeyNeed): string => {
    const known = noted.get(key);
    if (known !== undefined) return known;
    const text = note(need());
    noted.set(key, text);
    return text;
  };
  return {
    all: (): readonly KeyNeed[] => [...needs.values()],
    of({ projection, ownership, ownershipId, cuts }: Candidate): KeysOf {
      const { tenant, producerService } = projection;
      return {
        owner:
          ownership === undefined
            ? note(producerKeyNeed(tenant, producerService))
            : noteIn(subjects, ownership, () => subjectKeyNeed(tenant, ownership, ownershipId)),
        actor: cuts.length === 0 ? undefined : noteIn(actors, tenant, () => actorKeyNeed(tenant, nowMs)),
      };
    },
  };
}
