/** Text formats as fuzz targets: values that are written, what reads them back, and how what was read is written again. */
import { expect } from "@jest/globals";
import fc from "fast-check";
import { LastroError } from "../../src/core/errors.ts";
import { must, seed, type Target } from "./fuzz.ts";

export type Codec<Value> = {
  readonly name: string;
  readonly values: fc.Arbitrary<Value>;
  /** Texts of others that are accepted. */
  readonly texts?: readonly string[];
  /** Undefined for what is refused. */
  parse(text: string): Value | undefined;
  format(value: Value): string;
  /** What is written again of an accepted text: all of it, where nothing is said. `another`: what means the same. */
  readonly again?: "another" | ((text: string) => string);
};

/** Every value is read back as what was written. */
export function checkRoundTrip<Value>({ values, parse, format }: Codec<Value>): void {
  fc.assert(
    fc.property(values, (value) => {
      expect(parse(format(value))).toEqual(value);
    }),
    { seed },
  );
}

export function targetOf<Value>(codec: Codec<Value>): Target {
  const written = fc.sample(codec.values, { numRuns: 40, seed }).map(codec.format);
  const corpus = [...written, ...(codec.texts ?? [])].map((text) => Buffer.from(text));
  return { name: codec.name, corpus, check: (input) => checkBoth(codec, input.toString()) };
}

/** The text, and the text with half of a pair of surrogates in its middle, which no bytes of UTF-8 become. */
function checkBoth<Value>(codec: Codec<Value>, text: string): boolean {
  const middle = text.length >> 1;
  checkText(codec, `${text.slice(0, middle)}\ud800${text.slice(middle)}`);
  return checkText(codec, text);
}

function checkText<Value>({ parse, format, again }: Codec<Value>, text: string): boolean {
  const value = parse(text);
  if (value === undefined) return false;
  const written = format(value);
  if (again !== "another") {
    must(written === (again?.(text) ?? text), "what was accepted is written in another way");
    return true;
  }
  const reread = parse(written);
  must(reread !== undefined && format(reread) === written, "what was written is read as something else");
  return true;
}

/** Undefined where it throws INVALID_ARGUMENT for that field, which it may; whatever else it throws, it may not. */
export function orRefused<Value>(field: string, act: () => Value): Value | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof LastroError && error.code === "INVALID_ARGUMENT" && error.field === field)
      return undefined;
    throw error;
  }
}
