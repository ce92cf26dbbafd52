/** Runs test/vectors/json: what is JSON and what is not, class by class. Format: the README there. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { canonicalJson } from "../../src/core/canonical.ts";
import { guardJson } from "../../src/core/guard-json.ts";
import { rejectReasons } from "../../src/core/outcome.ts";
import { defaultLimits } from "../../src/core/parse-options.ts";
import { normalJson, normalMember } from "../support/read-json.ts";

type Case = {
  readonly name: string;
  readonly text?: string;
  readonly base64?: string;
  readonly generated?: readonly (readonly [text: string, times: number])[];
  readonly verdict: "accept" | "refuse";
  readonly reason?: string;
  readonly decided?: string;
  readonly exact?: string;
};

const folder = new URL("../vectors/json/", import.meta.url);
const classes: readonly { readonly title: string; readonly cases: readonly Case[] }[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")));

function bytesOf({ text, base64, generated = [] }: Case): Buffer {
  if (text !== undefined) return Buffer.from(text);
  if (base64 !== undefined) return Buffer.from(base64, "base64");
  return Buffer.from(generated.map(([piece, times]) => piece.repeat(times)).join(""));
}

/** What the RFC says without us: V8's parser, of bytes that are UTF-8. */
function isRfc8259(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

describe.each(classes)("$title", ({ cases }) => {
  test.each(cases)("$name: $verdict $reason", (given) => {
    const bytes = bytesOf(given);
    const result = guardJson(bytes, defaultLimits, { path: [], names: [] });
    expect(result.ok ? undefined : result.rejection.reason).toBe(given.reason);
    if (given.decided === undefined) expect(isRfc8259(bytes)).toBe(given.verdict === "accept");
    if (!result.ok) {
      expect(rejectReasons).toContain(result.rejection.reason);
      return;
    }
    const text = new TextDecoder().decode(bytes);
    expect(normalJson(canonicalJson(result.exact))).toBe(normalJson(text));
    if (given.exact !== undefined)
      expect(canonicalJson(result.exact)).toBe(`{"v":{"\\u0000n":"${given.exact}"}}`);
    else if (normalMember(text, ["v"]) !== undefined) expect(result.exact).toBe(result.value);
  });
});

test("a case has a name of its own in its class, a known verdict, and a reason exactly when it is refused", () => {
  for (const { cases } of classes) {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    for (const { verdict, reason } of cases) expect(reason === undefined).toBe(verdict === "accept");
  }
  expect(classes.flatMap(({ cases }) => cases).length).toBeGreaterThan(250);
});
