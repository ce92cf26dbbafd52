import { describe, expect, test } from "@jest/globals";
import { parseExactly } from "../../src/core/canonical.ts";
import { exactText } from "../../src/core/exact-json.ts";
import { foldState, isBase, mergePatch } from "../../src/core/state.ts";

// RFC 7396, appendix A.
test.each([
  [`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`],
  [`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`],
  [`{"a":"b"}`, `{"a":null}`, `{}`],
  [`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`],
  [`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`],
  [`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`],
  [`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`],
  [`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`],
  [`["a","b"]`, `["c","d"]`, `["c","d"]`],
  [`{"a":"b"}`, `["c"]`, `["c"]`],
  [`{"a":"foo"}`, `null`, `null`],
  [`{"a":"foo"}`, `"bar"`, `"bar"`],
  [`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`],
  [`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`],
  [`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`],
  [
    `{"__proto__":{"a":1}}`,
    `{"__proto__":{"b":2},"constructor":3}`,
    `{"__proto__":{"a":1,"b":2},"constructor":3}`,
  ],
])("RFC 7396: %s merged with %s is %s", (target, patch, result) => {
  expect(JSON.stringify(mergePatch(JSON.parse(target), JSON.parse(patch)))).toBe(result);
});

test.each([
  [`{"a":{"b":1}}`, `{"a":9007199254740993}`, `{"a":9007199254740993}`],
  [`{"a":9007199254740993}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`],
  [`{"a":9007199254740993,"b":1}`, `{"b":null}`, `{"a":9007199254740993}`],
  [`{"a":1}`, `9007199254740993`, `9007199254740993`],
])("numbers that a double does not hold are no objects: %s merged with %s is %s", (target, patch, result) => {
  expect(exactText(mergePatch(parseExactly(target), parseExactly(patch)))).toBe(result);
});

describe("R-07 the state of an entity is rebuilt from its records", () => {
  const state = (payload: unknown, action: "new" | "update" | "delete" = "update") =>
    ({ action, payloadIs: "state", payload: payload as never }) as const;
  const merge = (payload: unknown) => ({ ...state(payload), payloadIs: "merge" }) as const;

  test("a whole state replaces what was before", () => {
    expect(foldState([state({ a: 1 }, "new"), state({ b: 2 })])).toEqual({
      kind: "known",
      deleted: false,
      state: { b: 2 },
    });
  });
  test("a patch merges into what was before", () => {
    expect(foldState([state({ a: 1, c: 1 }), merge({ b: 2, c: null })])).toEqual({
      kind: "known",
      deleted: false,
      state: { a: 1, b: 2 },
    });
  });
  test("after a deletion the last state is still told", () => {
    expect(foldState([state({ a: 1 }), state({ id: 1 }, "delete")])).toEqual({
      kind: "known",
      deleted: true,
      state: { a: 1 },
    });
  });
  test("a patch after a deletion begins from nothing", () => {
    expect(foldState([state({ a: 1 }), state({}, "delete"), merge({ b: 2 })])).toEqual({
      kind: "known",
      deleted: false,
      state: { b: 2 },
    });
  });
  test("a deletion alone leaves the state unknown", () => {
    expect(foldState([state({ id: 1 }, "delete")])).toEqual({ kind: "unknown", deleted: true });
  });
  test("an erased record makes the state unknowable until the next whole one", () => {
    expect(foldState([state({ a: 1 }), merge(undefined), merge({ b: 2 })])).toEqual({
      kind: "erased",
      deleted: false,
    });
    expect(foldState([state(undefined), state({ a: 1 })])).toEqual({
      kind: "known",
      deleted: false,
      state: { a: 1 },
    });
  });
  test("only a whole state ends the way back", () => {
    expect([state({}), merge({}), state({}, "delete")].map(isBase)).toEqual([true, false, false]);
  });
});
