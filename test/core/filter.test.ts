import { describe, expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { compare, type Filter, filterTermsMax, parseFilter } from "../../src/core/filter.ts";
import { equal } from "../support/filters.ts";

const paths = new Set(["/payload/plan", "/payload/a.b", "/metadata/region"]);
const parse = (text: string) => parseFilter(text, paths);
const problem = (text: string): string => {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof LastroError && error.code === "INVALID_ARGUMENT" && error.field === "filter") {
      return error.message;
    }
    throw error;
  }
  return "accepted";
};
const at = (ms: string): number => Date.parse(ms);
const all = (...of: readonly Filter[]): Filter => ({ kind: "all", of });
const any = (...of: readonly Filter[]): Filter => ({ kind: "any", of });
const not = (of: Filter): Filter => ({ kind: "not", of });
const [a, b, c, d] = ["a", "b", "c", "d"].map((value) => equal("tenant", value)) as [
  Filter,
  Filter,
  Filter,
  Filter,
];

const cases: readonly (readonly [text: string, filter: Filter])[] = [
  ["", all()],
  ["  ", all()],
  ["entity_id = 7", equal("entity_id", "7")],
  ["entity_id=7", equal("entity_id", "7")],
  ["(((entity_id=7)))", equal("entity_id", "7")],
  [`owner_id = "a b\\"c"`, equal("owner_id", 'a b"c')],
  ["owner_id = 'AND'", equal("owner_id", "AND")],
  [`ownership_id = ""`, equal("ownership_id", "")],
  [`owner_id = "a\\*"`, equal("owner_id", "a*")],
  [`owner_id = "a*"`, compare("owner_id", "prefix", "a")],
  [`owner_id = "a\\**"`, compare("owner_id", "prefix", "a*")],
  [`owner_id != "a*"`, not(compare("owner_id", "prefix", "a"))],
  ["owner_id != a", not(equal("owner_id", "a"))],
  ["owner_id : a", equal("owner_id", "a")],
  ["ownership_id:*", not(equal("ownership_id", ""))],
  ["NOT ownership_id:*", equal("ownership_id", "")],
  ["text:joao", compare("text", "has", "joao")],
  [`text:"João da  SILVA"`, all(compare("text", "has", "joao"), compare("text", "has", "da"), compare("text", "has", "silva"))],
  [`text:"joão sil*"`, all(compare("text", "has", "joao"), compare("text", "prefix", "sil"))],
  [`text:"a-b*" tenant = a`, all(compare("text", "has", "a"), compare("text", "prefix", "b"), a)],
  [`-text:"a, *"`, not(compare("text", "has", "a"))],
  ["text:*", compare("text", "has", "*")],
  ["flags:late", compare("flags", "has", "late")],
  ["-flags:*", not(compare("flags", "has", "*"))],
  ["active = true", equal("active", true)],
  ["active != true", not(equal("active", true))],
  ["severity >= HIGH", compare("severity", ">=", 2)],
  ["version < 12", compare("version", "<", 12)],
  ["trace_id = 7B3BF470-9456-11E8-9EB6-529269FB1459", equal("trace_id", "7b3bf470945611e89eb6529269fb1459")],
  ["payload.plan = gold", equal("/payload/plan", "gold")],
  [`"/payload/a.b" = "g*"`, compare("/payload/a.b", "prefix", "g")],
  ["metadata.region:*", not(equal("/metadata/region", ""))],
  ["recorded_at >= 2024-06-22T12:00:00-03:00", compare("recorded_at", ">=", at("2024-06-22T15:00:00Z"))],
  [`((tenant = a) AND (action_at < "2024-06-22T12:00:00Z"))`, all(a, compare("action_at", "<", at("2024-06-22T12:00:00Z")))],
  ["tenant=a tenant=b", all(a, b)],
  ["tenant=a AND tenant=b OR tenant=c AND tenant=d", all(a, any(b, c), d)],
  ["tenant=a OR tenant=b tenant=c", all(any(a, b), c)],
  ["(tenant=a AND tenant=b) OR tenant=c", any(all(a, b), c)],
  ["tenant=a AND (tenant=b AND (tenant=c))", all(a, b, c)],
  ["NOT tenant=a OR -tenant=b", any(not(a), not(b))],
  ["NOT (tenant=a OR tenant=b)", not(any(a, b))],
  ["-(-tenant=a)", a],
  ["tenant=-a", equal("tenant", "-a")],
]; // biome-ignore format: a table
test.each(cases)("R-23 the filter %j is read", (text, filter) => expect(parse(text)).toEqual(filter));

describe("a wrong filter names the place and the fault", () => {
  test.each([
    ["tenant = a OR", /character 14: a condition is expected/],
    ["OR tenant = a", /character 1: a condition is expected/],
    ["NOT NOT tenant = a", /character 5: a condition is expected/],
    ["tenant = a*", /character 11: a wildcard/],
    ["tenant = *", /character 10: a wildcard/],
    [`tenant = "*"`, /character 10: a wildcard stands behind at least one character/],
    [`kind = "ch*"`, /character 8: a wildcard stands behind/],
    [`tenant = "*a"`, /character 11: a wildcard/],
    [`tenant = "${"*".repeat(40)}x"`, /character 11: a wildcard/],
    ["tenant = a kind = b", /character 19: a value for kind is one of change, activity/],
    ["tenant = a kind", /character 16: kind must be followed by = !=/],
    ["tenant = AND", /character 10: a value for tenant is expected/],
    ["tenant = a AND", /character 15: a condition is expected/],
    ["()", /character 2: a condition is expected/],
    ["(tenant = a", /character 1: the parenthesis is never closed/],
    ["tenant = a)", /character 11: the parenthesis was never opened/],
    [`${"(".repeat(1000)}tenant = a${")".repeat(1000)}`, /character 21: parentheses are more than 20 deep/],
    [`tenant = "${"a".repeat(5000)}"`, /at most 4096 bytes/],
    [
      Array(filterTermsMax + 1)
        .fill("tenant=a")
        .join(" AND "),
      /more than 64 conditions/,
    ],
    [
      Array(filterTermsMax).fill("(-tenant=a)").join(" "),
      /more than 128 conditions, parentheses and negations/,
    ],
    [`payload.$where = "x"`, /character 1: there is no field payload.\$where; fields are tenant,/],
    ["payload.price = 1", /there is no field payload.price/],
    [`"/payload/price" = 1`, /there is no field; fields are/],
    ["constructor = 1", /there is no field constructor/],
    ["__proto__ = 1", /there is no field __proto__/],
    ["123.456.789-00 = 1", /there is no field; fields are/],
    ["(a+)+$", /there is no field/],
    ["tenant", /character 7: tenant must be followed by = != :/],
    ["tenant(1)", /character 7: tenant must be followed by/],
    ["tenant =", /character 9: a value for tenant is expected/],
    ["tenant = (a)", /character 10: a value for tenant is expected/],
    ["tenant < a", /character 8: tenant must be followed by = != :/],
    ["active : true", /character 8: active must be followed by = !=/],
    ["flags = late", /character 7: flags must be followed by :/],
    ["flags:early", /character 7: a value for flags is one of aliased,/],
    ["severity > 2", /character 12: a value for severity is one of LOW, MEDIUM, HIGH, CRITICAL/],
    ["version = 1.5", /character 11: version is a whole number/],
    ["version = 9007199254740993", /character 11: version is a whole number/],
    ["active = yes", /character 10: active is true or false/],
    ["recorded_at > yesterday", /character 15: the time for recorded_at must be an RFC 3339/],
    ["recorded_at > 2024-02-30T00:00:00Z", /the time for recorded_at must be/],
    [`tenant = "a`, /character 10: the quotation mark is never closed/],
    [
      "recorded_at > 2024-06-23T00:00:00Z AND recorded_at < 2024-06-22T00:00:00Z",
      /the range of recorded_at ends before it begins/,
    ],
    ["version > 3 version < 4", /the range of version ends before it begins/],
  ])("%j", (text, message) => expect(problem(text)).toMatch(message));
});
