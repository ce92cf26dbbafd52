/** What the access file grants to an identity; without a binding nothing. */
import type { Grant } from "../core/caller.ts";
import type { JsonValue } from "../core/json.ts";
import { resolvePointer } from "../core/json-pointer.ts";
import type { AccessRules, Who } from "./access-rules.ts";

export type Identity =
  | { readonly kind: "person"; readonly subject: string; readonly claims: JsonValue }
  | { readonly kind: "service"; readonly name: string };

export const grantsOf = ({ bindings }: AccessRules, identity: Identity): readonly Grant[] =>
  bindings.filter(({ who }) => isMeant(who, identity)).flatMap(({ grants }) => grants);

/** The grants and, for calls that last, how to ask for them again by the rules that hold then. */
export function grantsBy(
  rules: () => AccessRules,
  identity: Identity,
): { readonly grants: readonly Grant[]; readonly grantsNow: () => readonly Grant[] } {
  let known = { rules: rules(), grants: grantsOf(rules(), identity) };
  return {
    grants: known.grants,
    grantsNow() {
      if (known.rules !== rules()) known = { rules: rules(), grants: grantsOf(rules(), identity) };
      return known.grants;
    },
  };
}

function isMeant(who: Who, identity: Identity): boolean {
  if (identity.kind === "service") return "service" in who && who.service === identity.name;
  if ("subject" in who) return who.subject === identity.subject;
  if (!("claim" in who)) return false;
  const claim = resolvePointer(identity.claims, who.claim);
  return Array.isArray(claim) ? claim.includes(who.value) : claim === who.value;
}
