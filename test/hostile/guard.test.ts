/** Fuzz target: the guard before JSON.parse. It accepts what two other readers accept, within its bounds, and reads the same. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { canonicalJson } from "../../src/core/canonical.ts";
import { guardJson } from "../../src/core/guard-json.ts";
import { type RejectReason, rejectReasons } from "../../src/core/outcome.ts";
import { defaultLimits } from "../../src/core/parse-options.ts";
import { campaignTimeoutMs, fuzz, must, seed, timesOf } from "../support/fuzz.ts";
import { messageOf, validMessages } from "../support/messages.ts";
import { normalJson } from "../support/read-json.ts";

const folder = new URL("../vectors/json/", import.meta.url);
const cases: readonly { readonly text?: string; readonly verdict: string }[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")).cases);
const corpus = [
  ...cases.flatMap(({ text, verdict }) =>
    verdict === "accept" && text !== undefined ? [Buffer.from(text)] : [],
  ),
  ...Object.values(validMessages)
    .flat()
    .map((message) => Buffer.from(messageOf(message).value ?? [])),
];

const watch = { path: ["metadata"], names: ["user_id", "user_ip"] };
const decoder = new TextDecoder("utf-8", { fatal: true });
/** Refusals that say that it is no JSON at all; the others are of bounds and of what JSON leaves open. */
const noJson: readonly RejectReason[] = ["INVALID_JSON", "INVALID_UTF8", "EMPTY"];

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

function check(input: Buffer): boolean {
  const result = guardJson(input, defaultLimits, watch);
  if (!result.ok) {
    const { reason } = result.rejection;
    must(rejectReasons.includes(reason), `the reason ${reason} is not of the list`);
    if (noJson.includes(reason)) must(!isJson(input), "JSON was refused as none");
    if (reason === "NOT_OBJECT") must(isJson(input), "what is no JSON was taken for it");
    return false;
  }
  const canonical = canonicalJson(result.exact);
  must(isJson(input), "what is no JSON was accepted");
  must(normalJson(decoder.decode(input)) === normalJson(canonical), "it was read as something else");
  for (const { start, end } of result.watched)
    must(typeof JSON.parse(input.toString("utf8", start, end)) === "string", "a cut is no string token");
  const again = guardJson(Buffer.from(canonicalJson(result.value)), defaultLimits, watch);
  must(
    again.ok && canonicalJson(again.value) === canonicalJson(result.value),
    "its canonical text is read otherwise",
  );
  return true;
}

const runs = timesOf(4_000);
test(
  `JSON that was mutated is refused, or read as two other readers read it (seed ${seed})`,
  async () => {
    const { accepted } = await fuzz({ name: "the guard", corpus, check }, runs);
    expect(accepted).toBeGreaterThan(runs / 50);
  },
  campaignTimeoutMs,
);
