/** What of two states differs, as old and new values side by side. */
import { isSame } from "./diff.ts";
import { hasMembers } from "./exact-json.ts";
import { type JsonValue, member } from "./json.ts";

export type ChangedValues = { readonly old: JsonValue | undefined; readonly new: JsonValue | undefined };

/** Of two objects the members that differ; else both whole. Undefined stands for no state. */
export function changedValues(before: JsonValue | undefined, after: JsonValue | undefined): ChangedValues {
  if (!hasMembers(before) || !hasMembers(after)) return { old: before, new: after };
  const differing = (of: Readonly<Record<string, JsonValue>>, other: Readonly<Record<string, JsonValue>>) =>
    Object.fromEntries(
      Object.entries(of).filter(([key, value]) => {
        const there = member(other, key);
        return there === undefined || !isSame(value, there);
      }),
    );
  return { old: differing(before, after), new: differing(after, before) };
}
