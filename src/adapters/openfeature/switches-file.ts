/** The file of switches: flags as flagd defines them, of known names and with boolean variants alone. */
import { FlagdCore, MemoryStorage } from "@openfeature/flagd-core";
import type { EvaluationContext, JsonValue, Logger, Provider } from "@openfeature/server-sdk";
import * as z from "zod";
import { jsonIn } from "../../core/json.ts";
import { type SwitchName, switchNames } from "../../core/switches.ts";

export type SwitchesFile = {
  readonly provider: Provider;
  /** Those that are off wherever no targeting says otherwise. */
  readonly off: readonly SwitchName[];
  /** Those that differ from question to question. */
  readonly targeted: readonly SwitchName[];
};
export type SwitchesFileResult =
  | { readonly ok: true; readonly file: SwitchesFile }
  | { readonly ok: false; readonly errors: readonly string[] };

const bytesMax = 65_536;
/** Of objects and arrays within each other: what walks rules has a stack. */
const depthMax = 100;

const Flag = z
  .strictObject({
    state: z.enum(["ENABLED", "DISABLED"]),
    variants: z.record(z.string().min(1), z.boolean()),
    defaultVariant: z.string(),
    targeting: z.record(z.string(), z.unknown()).optional(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .refine((flag) => Object.hasOwn(flag.variants, flag.defaultVariant), {
    path: ["defaultVariant"],
    message: "names none of `variants`",
  });
const File = z.strictObject({
  $schema: z.string().optional(),
  flags: z.partialRecord(z.enum(switchNames, `must be one of ${switchNames.join(", ")}`), Flag),
});
type Flags = z.output<typeof File>["flags"];

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {} };
/** Rules are walked, not compiled: no code is made of a file. */
const options = { disableDynamicCodeGeneration: true };

/** Finds every fault at once. */
export function parseSwitchesFile(text: string): SwitchesFileResult {
  if (text.length > bytesMax) return { ok: false, errors: [`it is larger than ${bytesMax} bytes`] };
  const given = jsonIn(text);
  if (isDeeper(given, depthMax))
    return { ok: false, errors: [`it is nested more than ${depthMax} levels deep`] };
  const parsed = File.safeParse(given);
  if (!parsed.success)
    return {
      ok: false,
      errors: parsed.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`),
    };
  const { flags } = parsed.data;
  const core = new FlagdCore(new MemoryStorage(silent, options), silent, options);
  core.setConfigurations(text);
  const enabled = switchNames.filter((name) => flags[name]?.state === "ENABLED");
  const errors = enabled.flatMap((name) => targetingFaults(core, flags, name));
  if (errors.length > 0) return { ok: false, errors };
  return {
    ok: true,
    file: {
      provider: providerOf(core),
      off: enabled.filter((name) => isOff(flags, name)),
      targeted: enabled.filter((name) => isTargeted(flags, name)),
    },
  };
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((within) => isDeeper(within, levels - 1)));

const isOff = (flags: Flags, name: SwitchName): boolean => {
  const flag = flags[name];
  return flag?.variants[flag.defaultVariant] === false;
};
const isTargeted = (flags: Flags, name: SwitchName): boolean =>
  Object.keys(flags[name]?.targeting ?? {}).length > 0;

/** Rules that no question could be held against, and those that would leave some question without an answer. */
function targetingFaults(core: FlagdCore, flags: Flags, name: SwitchName): readonly string[] {
  const { variants = {}, targeting } = flags[name] ?? {};
  const unknown = new Set(namedBy(targeting).filter((variant) => !Object.hasOwn(variants, variant)));
  if (unknown.size > 0)
    return [...unknown].map(
      (variant) => `flags.${name}.targeting: ${JSON.stringify(variant)} names none of \`variants\``,
    );
  const { errorMessage } = core.resolveBooleanEvaluation(name, true, sample, silent);
  return isTargeted(flags, name) && errorMessage !== undefined
    ? [`flags.${name}.targeting: ${errorMessage}`]
    : [];
}

/** Variants that `if` and `fractional` name wherever they may end. What other rules answer is known only when they are asked. */
function namedBy(rule: unknown): readonly string[] {
  if (typeof rule === "string" || typeof rule === "number" || typeof rule === "boolean")
    return [String(rule)];
  const [method, given] = Object.entries(rule ?? {})[0] ?? [];
  const args: readonly unknown[] = Array.isArray(given) ? given : [];
  if (method === "if" || method === "?:")
    return args.filter((_, at) => at % 2 === 1 || at === args.length - 1).flatMap(namedBy);
  if (method === "fractional")
    return args.flatMap((bucket) => (Array.isArray(bucket) ? namedBy(bucket[0]) : []));
  return [];
}
const sample = { targetingKey: "any", tenant: "any", method: "SearchRecords", callerKind: "service" };

const providerOf = (core: FlagdCore): Provider => ({
  runsOn: "server",
  metadata: { name: "file" },
  resolveBooleanEvaluation: async (...asked) => core.resolveBooleanEvaluation(...asked),
  resolveStringEvaluation: async (...asked) => core.resolveStringEvaluation(...asked),
  resolveNumberEvaluation: async (...asked) => core.resolveNumberEvaluation(...asked),
  resolveObjectEvaluation: async <T extends JsonValue>(...asked: ObjectQuestion<T>) =>
    core.resolveObjectEvaluation(...asked),
});
type ObjectQuestion<T> = readonly [name: string, byDefault: T, context: EvaluationContext, logger: Logger];
