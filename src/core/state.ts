/** The state of an entity as a fold over its change records; RFC 7396 where the catalogue says that payloads are merge patches. */
import type { ActionType } from "./event.ts";
import { hasMembers } from "./exact-json.ts";
import { type JsonObject, type JsonValue, member } from "./json.ts";

/** A version's part in the state. `payload` is undefined where the body was erased. */
export type StateStep = {
  readonly action: ActionType;
  readonly payloadIs: "state" | "merge";
  readonly payload: JsonValue | undefined;
};

export type EntityState =
  | { readonly kind: "known"; readonly deleted: boolean; readonly state: JsonValue }
  /** Nothing but deletions: what was deleted was never recorded. */
  | { readonly kind: "unknown"; readonly deleted: boolean }
  | { readonly kind: "erased"; readonly deleted: boolean };

/** RFC 7396. Member names such as `__proto__` are data like any other. */
export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!hasMembers(patch)) return patch;
  const base: JsonObject = hasMembers(target) ? target : {};
  const merged = new Map<string, JsonValue>(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(member(base, key), value));
  }
  return Object.fromEntries(merged);
}

/** Whether the fold needs nothing older than this step: a whole state. A deletion tells that, not what was there. */
export const isBase = (step: StateStep): boolean => step.action !== "delete" && step.payloadIs === "state";

export const noState: EntityState = { kind: "unknown", deleted: false };

/** The state after the step. */
export const nextState = (before: EntityState, step: StateStep): EntityState => {
  if (step.action === "delete") return { ...before, deleted: true };
  if (step.payload === undefined) return { kind: "erased", deleted: false };
  if (step.payloadIs === "state") return { kind: "known", deleted: false, state: step.payload };
  if (before.kind === "erased") return { kind: "erased", deleted: false };
  const previous = before.kind === "known" && !before.deleted ? before.state : undefined;
  return { kind: "known", deleted: false, state: mergePatch(previous, step.payload) };
};

/** Steps in ascending order of version, beginning with a base, with version 1, or with the one behind `before`. */
export const foldState = (steps: readonly StateStep[], before: EntityState = noState): EntityState =>
  steps.reduce<EntityState>(nextState, before);
