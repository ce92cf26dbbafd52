/** test/vectors/envelope as events: what is sent, and what must become of it. Format: the README there. */
import { readdirSync, readFileSync } from "node:fs";
import { defaultParseOptions, type ParseOptions } from "../../src/core/envelope.ts";
import type { EventHeader, SourceEvent } from "../../src/core/event.ts";

type Bytes =
  | null
  | { readonly utf8: string }
  | { readonly base64: string }
  | { readonly generated: readonly (readonly [text: string, times: number])[] };
type Expected =
  | {
      readonly outcome: "accepted";
      readonly flags: readonly string[];
      readonly envelope?: Readonly<Record<string, unknown>>;
      readonly classification?: Readonly<Record<string, unknown>>;
      readonly cutTexts?: readonly string[];
      readonly canonical?: string;
      readonly canonicalOf?: Bytes;
      readonly payloadText?: string;
    }
  | {
      readonly outcome: "rejected";
      readonly reason: string;
      readonly pointer: string;
      readonly sentenceContains?: readonly string[];
      readonly sentenceOmits?: readonly string[];
    };
export type Case = {
  readonly name: string;
  readonly value: Bytes;
  readonly key?: Bytes;
  readonly headers?: readonly (readonly [name: string, value: Bytes, times?: number])[];
  readonly timestampMs?: number;
  readonly options?: {
    readonly unknownSchemaVersions?: "flag" | "reject";
    readonly ownershipExempt?: readonly string[];
  };
  readonly expect: Expected;
};
type Vector = {
  readonly row: number;
  readonly title: string;
  readonly why?: string;
  readonly nowMs: number;
  readonly cases: readonly Case[];
};

const folder = new URL("../vectors/envelope/", import.meta.url);
export const vectors: readonly Vector[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Vector);

export function bytesOf(source: Bytes): Uint8Array | null {
  if (source === null) return null;
  if ("utf8" in source) return Buffer.from(source.utf8);
  if ("base64" in source) return Buffer.from(source.base64, "base64");
  return Buffer.from(source.generated.map(([text, times]) => text.repeat(times)).join(""));
}

export const eventOf = (given: Case): SourceEvent => ({
  offset: 0,
  key: bytesOf(given.key ?? null),
  value: bytesOf(given.value),
  headers: (given.headers ?? []).flatMap(([name, value, times = 1]) =>
    Array.from({ length: times }, (): EventHeader => [name, bytesOf(value)]),
  ),
  timestampMs: given.timestampMs ?? 0,
});

export const optionsOf = (given: Case, nowMs: number): ParseOptions => ({
  ...defaultParseOptions,
  nowMs,
  schemaVersions: { knownMajors: ["1"], unknown: given.options?.unknownSchemaVersions ?? "flag" },
  ownershipExempt: new Set(given.options?.ownershipExempt),
});
