/** Witnesses as they are written in a variable: `<verifier key>@<URL>`, separated by commas, as `lastro witness` prints it. */
import * as z from "zod";
import { parseVerifierKey, type VerifierKey } from "./core/signed-note.ts";
import { list } from "./lib/env-values.ts";
import { sha256 } from "./lib/sha256.ts";

export const witnessesMax = 32;

export type NamedWitness = {
  readonly vkey: string;
  readonly key: VerifierKey;
  /** Submission prefix. */
  readonly url: string;
};

const form = /^(.+?)@(https?:\/\/.+)$/;

function parseWitness(text: string): NamedWitness | undefined {
  const [, vkey = "", url = ""] = form.exec(text) ?? [];
  const key = parseVerifierKey(sha256, vkey);
  // One with a user in it would be shown in the start-up table.
  const isPlain = URL.parse(url)?.username === "";
  return key?.type === "cosignature/v1" && isPlain ? { vkey, key, url } : undefined;
}

export const witnessList = list.transform((texts, context): readonly NamedWitness[] => {
  const witnesses = texts.map(parseWitness).filter((witness) => witness !== undefined);
  const refuse = (why: string): never => {
    context.addIssue(why);
    return z.NEVER;
  };
  if (witnesses.length < texts.length)
    return refuse(
      "must be <verifier key>@<http or https URL>, several separated by commas; `lastro witness` prints its own",
    );
  if (witnesses.length > witnessesMax) return refuse(`must name at most ${witnessesMax} witnesses`);
  if (new Set(witnesses.map(({ key }) => key.name)).size < witnesses.length)
    return refuse("names a witness twice");
  return witnesses;
});
