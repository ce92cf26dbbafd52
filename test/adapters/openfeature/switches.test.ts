/** Switches as OpenFeature evaluates them, from the file's provider and from others'. */
import { afterEach, expect, test } from "@jest/globals";
import { InMemoryProvider, OpenFeature, type Provider } from "@openfeature/server-sdk";
import { openFeatureSwitches } from "../../../src/adapters/openfeature/switches.ts";
import { parseSwitchesFile } from "../../../src/adapters/openfeature/switches-file.ts";
import { type SwitchName, switchNames } from "../../../src/core/switches.ts";
import type { SwitchContext } from "../../../src/ports/switches.ts";

afterEach(() => OpenFeature.close());

const variants = { on: true, off: false };
function fileOf(flags: unknown): Provider {
  const parsed = parseSwitchesFile(JSON.stringify({ flags }));
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return parsed.file.provider;
}
const asked: SwitchContext = { method: "TailRecords", callerKind: "service", tenant: "acme" };
const unknown: string[] = [];
async function offBy(provider: Provider, context: SwitchContext = asked): Promise<readonly SwitchName[]> {
  unknown.length = 0;
  const switches = await openFeatureSwitches(provider, (name, code) => unknown.push(`${name} ${code}`));
  const off: SwitchName[] = [];
  for (const name of switchNames) if (!(await switches.isOn(name, context))) off.push(name);
  return off;
}

test("R-13 what no file names is on", async () => {
  expect(await offBy(fileOf({}))).toEqual([]);
  expect(unknown).toEqual([]);
});

test("R-13 what a file switches off is off, unless its flag is disabled", async () => {
  const provider = fileOf({
    exports: { state: "ENABLED", variants, defaultVariant: "off" },
    tails: { state: "DISABLED", variants, defaultVariant: "off" },
  });
  expect(await offBy(provider)).toEqual(["exports"]);
});

const rule = (name: string, value: string) => ({
  state: "ENABLED",
  variants,
  defaultVariant: "on",
  targeting: { if: [{ "===": [{ var: name }, value] }, "off", "on"] },
});

test("R-13 a switch may be off for one tenant, one method, one kind of caller", async () => {
  const provider = fileOf({
    tails: rule("tenant", "acme"),
    exports: rule("method", "TailRecords"),
    summaries: rule("callerKind", "service"),
  });
  expect(await offBy(provider)).toEqual(["exports", "tails", "summaries"]);
  expect(await offBy(provider, { method: "GetState", callerKind: "person", tenant: undefined })).toEqual([]);
});

test("R-13 another provider is asked as the file's is", async () => {
  const flag = { variants, defaultVariant: "off", disabled: false };
  expect(await offBy(new InMemoryProvider({ publishing: flag }))).toEqual(["publishing"]);
});

test("R-13 a provider that fails leaves everything on", async () => {
  const fails = async (): Promise<never> => {
    throw new Error("the provider is away");
  };
  const provider: Provider = {
    runsOn: "server",
    metadata: { name: "fails" },
    resolveBooleanEvaluation: fails,
    resolveStringEvaluation: fails,
    resolveNumberEvaluation: fails,
    resolveObjectEvaluation: fails,
  };
  expect(await offBy(provider)).toEqual([]);
  expect(unknown).toEqual(switchNames.map((name) => `${name} GENERAL`));
});

test("R-13 a rule that ends in no variant only when it is asked leaves its switch on, and that is told", async () => {
  const targeting = { if: [{ "===": [{ var: "tenant" }, "acme"] }, { var: "method" }, "on"] };
  const provider = fileOf({ tails: { state: "ENABLED", variants, defaultVariant: "on", targeting } });
  expect(await offBy(provider, { ...asked, tenant: "other" })).toEqual([]);
  expect(unknown).toEqual([]);
  expect(await offBy(provider)).toEqual([]);
  expect(unknown).toEqual(["tails GENERAL"]);
});
