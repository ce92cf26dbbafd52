import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";

const errorsOf = (text: string): readonly string[] => {
  const parsed = parseCatalogue(text);
  return parsed.ok ? [] : parsed.errors;
};

test("a wrong catalogue is refused with all its errors, each with its pointer", () => {
  const errors = errorsOf(
    JSON.stringify({
      version: 1,
      unknown_majors: "accept",
      events: {
        account: {},
        "account.*": { severity: "URGENT", indx: [] },
        "account.created": { kind: "change", entity_id: "payload.id" },
        "account.viewed": { kind: "activity", action: "new" },
        "account.sold": { schemas: { "1.0": { type: "objct" }, "2": {} } },
      },
    }),
  );
  for (const pointer of [
    "/: ", "/events/account: ", "/events/account.*/severity: ", "/events/account.*: ", "/events/account.created/entity_id: ",
    "/events/account.created/kind: ", "/events/account.viewed/action: ", "/events/account.sold/schemas/1.0: ", "/events/account.sold/schemas/2: ",
  ]) // biome-ignore format: a list
    expect(errors.filter((error) => error.startsWith(pointer))).not.toEqual([]);
});

test("an entity id may not be a field that must never be searchable", () => {
  const file = {
    version: 1,
    events: {
      "a.*": { never_index: ["/payload/person"] },
      "a.b": { entity_id: "/payload/person/cpf", never_index: ["/payload/person"] },
    },
  };
  expect(errorsOf(JSON.stringify(file))).toEqual([expect.stringMatching(/^\/events\/a\.b\/entity_id: /)]);
});

test.each([
  ['{"version":1,"events":{},}', /trailing comma/],
  ['{"version":1,"version":1,"events":{}}', /^\/version: A key appears twice/],
  ["[]", /not an object/],
])("broken JSON is refused with its place: %s", (text, message) => {
  expect(errorsOf(text)).toEqual([expect.stringMatching(message)]);
});

test("the example in docs/catalogue.md is a valid catalogue", () => {
  const docs = readFileSync(new URL("../../docs/catalogue.md", import.meta.url), "utf8");
  const example = /```json\n([\s\S]*?)```/.exec(docs)?.[1] ?? "";
  expect(errorsOf(example)).toEqual([]);
  expect(example).toContain("entity_id");
});
