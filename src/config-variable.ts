/** How a variable is declared: its schema, and what the README's table says of it. */
import * as z from "zod";
import { wholeNumber } from "./lib/env-values.ts";

type About = {
  readonly description: string;
  /** What a number counts. */
  readonly unit?: string;
  /** May also come from a file, named by the variable with `_FILE` behind it, or from Vault; shown without its secret parts. */
  readonly secret?: true;
  /** Not shown at all. */
  readonly hidden?: true;
};
export type Documented = About & { readonly defaultText: string };
export const abouts = z.registry<Documented>();

export function variable<T extends z.ZodType<unknown, string>>(schema: T, defaultText: string, about: About) {
  const made = schema.prefault(defaultText as z.input<T>);
  abouts.add<z.ZodType>(made, { defaultText, ...about });
  return made;
}
export function optional<T extends z.ZodType<unknown, string>>(schema: T, about: Documented) {
  const made = schema.optional();
  abouts.add<z.ZodType>(made, about);
  return made;
}
export const number = (min: number, max: number, byDefault: number, unit: string, description: string) =>
  variable(wholeNumber(min, max), String(byDefault), { unit, description });

export const kib = 1024;
export const mib = 1024 * kib;
export const second = 1_000;
export const minute = 60 * second;
export const day = 24 * 60 * minute;

export const text = z.string().min(1).max(4_096);
export const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http:// or https:// address" });

/** What holds between variables; the first of `about` is the one that is told. */
export type Rule<Values> = {
  readonly about: readonly [keyof Values & string, ...(keyof Values & string)[]];
  readonly holds: (values: Values) => boolean;
  readonly otherwise: string;
};
