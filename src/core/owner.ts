/** Producers' names for the actor, `user_*`, become the standard's `owner_*`. Two answers to one question are refused. */
import { normaliseIp } from "./ip-address.ts";
import { type JsonObject, type JsonValue, member, setMember } from "./json.ts";
import { type Refused, refuse } from "./outcome.ts";

const aliases: ReadonlyMap<string, string> = new Map([
  ["user_id", "owner_id"],
  ["user_role", "owner_role"],
  ["user_ip", "owner_ip"],
]);

export type Owned = {
  readonly ok: true;
  readonly metadata: JsonObject;
  /** Standard name → the alias it was given by. */
  readonly aliased: Readonly<Record<string, string>> | undefined;
};

const sameValue = (name: string, a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === b ||
  (name === "owner_ip" &&
    typeof a === "string" &&
    typeof b === "string" &&
    normaliseIp(a) !== undefined &&
    normaliseIp(a) === normaliseIp(b));

/** Metadata with standard names; an alias implies `owner_type` `user`. `base` is where the envelope lies in the event. */
export function replaceAliases(metadata: JsonObject, base: string): Owned | Refused {
  const aliased: Record<string, string> = {};
  let used = false;
  for (const [alias, name] of aliases) {
    if (!Object.hasOwn(metadata, alias)) continue;
    used = true;
    if (!Object.hasOwn(metadata, name)) aliased[name] = alias;
    else if (!sameValue(name, member(metadata, alias), member(metadata, name)))
      return refuse(
        "AMBIGUOUS_OWNER",
        `${base}/metadata/${alias}`,
        `${alias} and ${name} differ: send ${name} alone.`,
      );
  }
  if (!used) return { ok: true, metadata, aliased: undefined };
  const renamed: Record<string, JsonValue> = {};
  for (const key of Object.keys(metadata)) {
    const name = aliases.get(key) ?? key;
    if (name === key || !Object.hasOwn(metadata, name)) setMember(renamed, name, metadata[key] as JsonValue);
  }
  if (!Object.hasOwn(metadata, "owner_type")) renamed["owner_type"] = "user";
  return { ok: true, metadata: renamed, aliased };
}
