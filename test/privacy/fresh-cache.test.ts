import { expect, test } from "@jest/globals";
import { freshCache } from "../../src/privacy/fresh-cache.ts";

test("what is remembered is bounded: the oldest goes first", () => {
  const cache = freshCache<number>(() => 0);
  for (let at = 0; at <= 50_000; at++) cache.put(String(at), at, 0);
  expect(cache.get("0")).toBeUndefined();
  expect(cache.get("1")).toBe(1);
  expect(cache.get("50000")).toBe(50_000);
});

test("what is too old is let go of when something new comes", () => {
  let nowMs = 0;
  const cache = freshCache<object>(() => nowMs);
  cache.put("old", {}, 0);
  nowMs = 5001;
  cache.put("new", {}, nowMs);
  nowMs = 5000;
  expect(cache.get("old")).toBeUndefined();
});
