/** Which files of switches are taken, and what is said of others. */
import { expect, test } from "@jest/globals";
import { parseSwitchesFile } from "../../../src/adapters/openfeature/switches-file.ts";

const onOff = { state: "ENABLED", variants: { on: true, off: false } };
const parse = (flags: unknown, more = {}) => parseSwitchesFile(JSON.stringify({ flags, ...more }));

test("R-13 a file says what is off for everybody, and what for some", () => {
  const targeting = { if: [{ in: [{ var: "tenant" }, ["acme"]] }, "off", "on"] };
  const parsed = parse({
    exports: { ...onOff, defaultVariant: "off" },
    tails: { ...onOff, defaultVariant: "on", targeting },
    summaries: { ...onOff, state: "DISABLED", defaultVariant: "off" },
    publishing: { ...onOff, defaultVariant: "on" },
  });
  expect(parsed).toMatchObject({ ok: true, file: { off: ["exports"], targeted: ["tails"] } });
});

test("R-13 a file without flags leaves everything on", () => {
  expect(parse({}, { $schema: "https://flagd.dev/schema/v0/flags.json" })).toMatchObject({
    ok: true,
    file: { off: [], targeted: [] },
  });
});

test("R-13 every fault of a file is told at once", () => {
  const parsed = parse({
    exports: { ...onOff, defaultVariant: "maybe" },
    tails: { ...onOff, state: "OFF", defaultVariant: "on" },
    summaries: { ...onOff, variants: { on: "yes" }, defaultVariant: "on" },
    export: { ...onOff, defaultVariant: "off" },
  });
  const errors = parsed.ok ? [] : parsed.errors.map((error) => error.split(":")[0]);
  expect(errors.toSorted()).toEqual([
    "flags",
    "flags.exports.defaultVariant",
    "flags.summaries.variants.on",
    "flags.tails.state",
  ]);
});

test.each<[string, string]>([
  ["no JSON", "{"],
  ["nothing", ""],
  ["null", "null"],
  ["no flags", "{}"],
  ["members nobody knows", JSON.stringify({ flags: {}, features: {} })],
  ["too many bytes", JSON.stringify({ flags: {} }).padEnd(70_000)],
  [
    "rules too deep to be walked",
    JSON.stringify({ flags: { tails: { ...onOff, defaultVariant: "on", targeting: {} } } }).replace(
      '"targeting":{}',
      `"targeting":${'{"if":['.repeat(7_000)}"on"${"]}".repeat(7_000)}`,
    ),
  ],
  ["a name that every object has", '{"flags":{"constructor":{"state":"ENABLED"}}}'],
])("R-13 a file with %s is refused", (_, text) => {
  expect(parseSwitchesFile(text)).toMatchObject({ ok: false });
});

const acme = { in: [{ var: "tenant" }, ["acme"]] };
test.each<[string, unknown, readonly string[]]>([
  ["its first answer", { if: [acme, "of", "on"] }, ["of"]],
  ["a later answer", { if: [acme, "off", { "===": [{ var: "method" }, "x"] }, "Off", "on"] }, ["Off"]],
  ["its last answer", { if: [acme, "off", "in"] }, ["in"]],
  ["a rule within it", { if: [acme, { if: [true, "on", "no"] }, "on"] }, ["no"]],
  ["the other spelling of if", { "?:": [acme, "of", "on"] }, ["of"]],
  ["a share", { fractional: [["on", 99], ["of", 1]] }, ["of"]],
  ["a share by a key", { fractional: [{ cat: ["a", { var: "method" }] }, ["on", 99], [{ if: [acme, "of", "on"] }, 1]] }, ["of"]],
  ["a boolean, which names a variant, too", { if: [acme, false, "on"] }, ["false"]],
  ["several", { if: [acme, "of", "constructor"] }, ["of", "constructor"]],
])("R-13 a rule that names no variant is refused, by what it names, for whomever it would count: %s", (_, targeting, named) => {
  const errors = named.map((name) => `flags.tails.targeting: "${name}" names none of \`variants\``);
  expect(parse({ tails: { ...onOff, defaultVariant: "on", targeting } })).toEqual({ ok: false, errors });
}); // biome-ignore format: a table

test("R-13 what a rule compares with, and no answer, which is the default, are no variants", () => {
  const targeting = { if: [{ in: ["acme", { if: [true, "acme", "x"] }] }, null, { fractional: ["salt", ["on", 1]] }] };
  expect(parse({ tails: { ...onOff, defaultVariant: "on", targeting } })).toMatchObject({ ok: true });
}); // biome-ignore format: one rule

test.each([[{ nosuch: [1, 2] }], [{ if: [true, "perhaps", "on"] }]])(
  "R-13 rules that could answer no question are refused at once: %j",
  (targeting) => {
    const parsed = parse({ tails: { ...onOff, defaultVariant: "on", targeting } });
    expect(parsed).toEqual({ ok: false, errors: [expect.stringMatching(/^flags\.tails\.targeting: /)] });
  },
);
