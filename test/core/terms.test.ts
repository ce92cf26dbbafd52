import { expect, test } from "@jest/globals";
import { emptyCatalogue, parseCatalogue } from "../../src/core/catalogue.ts";
import { recordTerms, recordTermsMax, termRules } from "../../src/core/record-terms.ts";
import { termCharactersMax, termsIn, textCharactersMax } from "../../src/core/terms.ts";

test.each([
  ["João da Silva", ["joao", "da", "silva"]],
  ["JOÃO", ["joao"]],
  ["Joa\u0303o", ["joao"]],
  ["Ação; coração, PÃO!", ["acao", "coracao", "pao"]],
  ["Straße STRASSE Æsir œuvre Øre Łódź", ["strasse", "strasse", "aesir", "oeuvre", "ore", "lodz"]],
  ["İstanbul ılık", ["istanbul", "ilik"]],
  ["ﬁne ① Ⅷ ½", ["fine", "1", "viii", "1", "2"]],
  ["user.created-by_admin/2", ["user", "created", "by", "admin", "2"]],
  ["don't", ["don", "t"]],
  ["日本語 Ελλάδα", ["日本語", "ελλαδα"]],
  ["\u0301 -- … 🙂", []],
  ["", []],
])("R-65 the terms of %j are %j: accents, capitals and signs make no difference", (text, terms) =>
  expect(termsIn(text)).toEqual(terms),
);

test("a word is cut at its 64th character, never inside of one; a text is read to its 4,096th", () => {
  expect(termsIn(`${"a".repeat(70)} b`)).toEqual(["a".repeat(termCharactersMax), "b"]);
  const [cut = ""] = termsIn("𝔞x𐐨".repeat(40));
  expect([...cut]).toHaveLength(termCharactersMax);
  expect(termsIn(`${" ".repeat(textCharactersMax - 1)}ab`)).toEqual(["a"]);
});

test("the terms of a text are terms of themselves", () => {
  for (const text of ["João Straße", "ǅ ǆ", "ẞß", "ﬃ", "ΐ"])
    for (const term of termsIn(text)) expect(termsIn(term)).toEqual([term]);
});

const catalogueOf = (events: object) => {
  const parsed = parseCatalogue(JSON.stringify({ version: 1, events }));
  if (!parsed.ok) throw new Error(parsed.errors.join());
  return parsed.catalogue;
};
const event = {
  eventType: "account.updated",
  entityId: "A-17",
  payload: { name: "Ana", title: "Dra.", note: "segredo", tags: ["x"], secret: "senha", age: 41 },
  metadata: { description: "troca de plano" },
};

test("R-65 a record is found by the words of its event type and id, of name, title and description, each once", () => {
  expect(recordTerms(emptyCatalogue, event)).toEqual([
    "account", "updated", "a", "17", "ana", "dra", "troca", "de", "plano",
  ]); // biome-ignore format: a list
});

test("R-65 the catalogue says which texts are searched instead; what may never be indexed is not", () => {
  const rules = {
    search: ["/payload/note", "/payload/age", "/payload/tags", "/payload/secret"],
    never_index: ["/payload/secret"],
  };
  expect(recordTerms(catalogueOf({ "account.*": rules }), event).slice(4)).toEqual(["segredo", "41"]);
  expect(recordTerms(catalogueOf({ "account.*": { never_index: ["/payload/name"] } }), event)).not.toContain(
    "ana",
  );
  expect(recordTerms(catalogueOf({ "account.*": { search: [] } }), event)).toHaveLength(4);
  expect(recordTerms(catalogueOf({ "invoice.*": rules }), event)).toContain("ana");
});

test("an id of many words is no text, and neither a missing payload nor a hostile pointer matters", () => {
  const bare = {
    eventType: "a.b",
    entityId: "1b08116e-74ff-4e71-8a17-26011cfea33f",
    payload: undefined,
    metadata: undefined,
  };
  expect(recordTerms(emptyCatalogue, bare)).toEqual(["a", "b"]);
  expect(recordTerms(emptyCatalogue, { ...bare, entityId: undefined })).toEqual(["a", "b"]);
  const hostile = catalogueOf({
    "a.*": { search: ["/payload/__proto__/name", "/payload/constructor/name"] },
  });
  expect(recordTerms(hostile, { ...bare, payload: {} })).toEqual(["a", "b"]);
});

test("a record has at most so many terms: the first ones", () => {
  const name = Array.from({ length: 100 }, (_, n) => `w${n}`).join(" ");
  const terms = recordTerms(emptyCatalogue, { ...event, entityId: undefined, payload: { name } });
  expect(terms).toHaveLength(recordTermsMax);
  expect(terms.slice(0, 4)).toEqual(["account", "updated", "w0", "w1"]);
});

test("the rules change with what the catalogue declares of texts, and with nothing else of it", () => {
  const plain = termRules(emptyCatalogue);
  expect(termRules(catalogueOf({ "a.*": { severity: "HIGH", index: ["/payload/x"] } }))).toBe(plain);
  const searched = (...pointers: string[]) => termRules(catalogueOf({ "a.*": { search: pointers } }));
  expect(new Set([plain, searched(), searched("/payload/x"), searched("/payload/y")]).size).toBe(4);
});
