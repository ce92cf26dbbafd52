/** Holds the dead letters against what was published: each bad event is there with its bytes and its reasons, and no good one is. A letter may lie there twice. */
import type { StoredRecord } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import type { Published } from "./published.ts";

const told = [
  "topic", "incarnation", "partition", "offset", "timestamp", "reason", "pointer", "stage", "message", "attempt", "salt",
  "version", "consumer",
].map((name) => `audit.dlq.${name}`); // biome-ignore format: a list

const headerOf = ({ headers }: StoredRecord, name: string): string | undefined =>
  headers.find(([one]) => one === name)?.[1]?.toString();

export function letterProblems(letters: readonly StoredRecord[], published: Published): readonly string[] {
  const problems: string[] = [];
  const values = new Map<string, string>();
  for (const letter of letters) {
    const at = ["incarnation", "partition", "offset"]
      .map((name) => headerOf(letter, `audit.dlq.${name}`))
      .join(".");
    const missing = told.filter((name) => headerOf(letter, name) === undefined);
    if (missing.length > 0) problems.push(`the letter of ${at} lacks ${missing}`);
    const value = letter.value?.toString("latin1") ?? "";
    if ((values.get(at) ?? value) !== value) problems.push(`the letters of ${at} differ`);
    values.set(at, value);
  }
  const expected = published.conflicts + published.rejected;
  if (values.size !== expected) problems.push(`letters of ${values.size} events, expected of ${expected}`);
  if (published.bad !== undefined) {
    const left = new Map(
      Map.groupBy(published.bad, latin1)
        .entries()
        .map(([value, all]) => [value, all.length]),
    );
    for (const [at, value] of values) {
      const count = left.get(value) ?? 0;
      if (count === 0) problems.push(`the letter of ${at} is no bad event that was published`);
      left.set(value, count - 1);
    }
  }
  return problems;
}

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");
