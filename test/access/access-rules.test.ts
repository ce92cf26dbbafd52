import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { type AccessRules, parseAccessRules } from "../../src/access/access-rules.ts";
import { grantsOf } from "../../src/access/grants.ts";

const parse = (file: unknown) => parseAccessRules(typeof file === "string" ? file : JSON.stringify(file));
function accepted(file: unknown): AccessRules {
  const parsed = parse(file);
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return parsed.rules;
}
const everything = {
  tenants: undefined,
  producerServices: undefined,
  entityTypes: undefined,
  ownershipIds: undefined,
  fromMs: undefined,
  toMs: undefined,
};

test("every fault is named at once, with its place", () => {
  const parsed = parse({
    version: 2,
    services: {
      a: { certificates: ["billing"] },
      b: { certificates: ["DNS:x"] },
      c: { certificates: ["DNS:x"] },
    },
    bindings: [
      { who: { subject: "s", service: "a" }, roles: ["reader"], scope: {} },
      { who: { subject: "s" }, roles: ["root"], scope: { tenant: ["acme"], from: "yesterday" } },
      { who: { subject: "s" }, roles: [], scope: {} },
      { who: { subject: "s" }, roles: ["reader"] },
    ],
    rules: [],
  });
  const places = parsed.ok ? [] : parsed.errors.map((error) => error.split(":")[0]);
  expect(places).toEqual(
    expect.arrayContaining([
      "version", "services.a.certificates.0", "bindings.0.who", "bindings.1.roles.0", "bindings.1.scope.from",
      "bindings.1.scope", "bindings.2.roles", "bindings.3.scope", "it",
    ]),
  ); // biome-ignore format: a list
});

test.each<[string, unknown, RegExp]>([
  ["that is no JSON", "{", /no JSON/],
  ["in which a service is bound that it does not have", { version: 1, bindings: [{ who: { service: "x" }, roles: ["reader"], scope: {} }] }, /^bindings\.0\.who\.service: names no service/],
  ["in which two services share a certificate's name", { version: 1, services: { a: { certificates: ["DNS:x"] }, b: { certificates: ["DNS:x"] } }, bindings: [] }, /two services/],
])("a file %s is refused", (_, file, why) => {
  expect(parse(file)).toMatchObject({ ok: false, errors: [expect.stringMatching(why)] });
}); // biome-ignore format: a table

test("grants add up, a list that is not there does not bound, and nothing personal is shown unless it says so", () => {
  const rules = accepted({
    version: 1,
    bindings: [
      { who: { claim: "/resource_access/my.client/roles", value: "audit" }, roles: ["reader"], scope: {} },
      {
        who: { claim: "/department", value: "legal" },
        roles: ["dpo"],
        scope: { personal: true, tenants: [] },
      },
      {
        who: { subject: "anna" },
        roles: ["admin", "operator"],
        scope: { from: "2026-01-01T00:00:00-03:00" },
      },
    ],
  });
  const claims = { resource_access: { "my.client": { roles: ["other", "audit"] } }, department: "legal" };
  expect(grantsOf(rules, { kind: "person", subject: "anna", claims })).toEqual([
    { role: "reader", scope: { ...everything, personal: false } },
    { role: "dpo", scope: { ...everything, personal: true, tenants: [] } },
    ...(["admin", "operator"] as const).map((role) => ({
      role,
      scope: { ...everything, personal: false, fromMs: Date.UTC(2026, 0, 1, 3) },
    })),
  ]);
});

test.each([
  ["another person", { kind: "person", subject: "eve", claims: {} }],
  [
    "a claim that only contains the value",
    { kind: "person", subject: "eve", claims: { department: "legal-x" } },
  ],
  ["a claim that every object has", { kind: "person", subject: "eve", claims: { constructor: "x" } }],
  ["a service of the subject's name", { kind: "service", name: "anna" }],
] as const)("%s is granted nothing", (_, identity) => {
  const rules = accepted({
    version: 1,
    bindings: [
      { who: { claim: "/department", value: "legal" }, roles: ["dpo"], scope: {} },
      { who: { claim: "/__proto__/constructor/name", value: "Object" }, roles: ["admin"], scope: {} },
      { who: { subject: "anna" }, roles: ["reader"], scope: {} },
    ],
  });
  expect(grantsOf(rules, identity)).toEqual([]);
});

test("the file in docs/access.md is one that is accepted", () => {
  const page = readFileSync("docs/access.md", "utf8");
  const [, example = ""] = /```json\n(.*?)```/s.exec(page) ?? [];
  expect(accepted(example).bindings).toHaveLength(3);
});
