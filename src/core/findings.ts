/** What a verification says: a verdict, what it rests on, and typed findings that each name the smallest object that holds the fault. */
import type { Rid, Src } from "./ids.ts";
import type { TileId } from "./tiles.ts";

/**
 * The closed list. `broken`: stored bytes contradict a signed commitment, or something committed is gone. `incomplete`: an input was not given
 * or not reachable, or is not yet logged. `repairable`: a search aid differs from the sealed body it was made of, or the search index from the
 * log.
 */
export const findingEffects = {
  // the tree
  ENTRY_CHANGED: "broken", ENTRY_INVALID: "broken", LEAF_CHANGED: "broken", LEAF_MISSING: "broken", TILE_CHANGED: "broken", TILE_MISSING: "broken",
  HEAD_CHANGED: "broken", INCLUSION_INVALID: "broken",
  // checkpoints
  CHECKPOINT_CHANGED: "broken", CHECKPOINT_MISSING: "broken", SIGNATURE_INVALID: "broken", COSIGNATURE_INVALID: "broken", TREE_REWRITTEN: "broken",
  CONSISTENCY_INVALID: "broken", KEY_UNKNOWN: "incomplete", WITNESSES_MISSING: "incomplete", PIN_UNREACHED: "incomplete",
  // records
  RECORD_MISSING: "broken", LOG_UNAUDITED: "broken", BODY_MISSING: "broken", BODY_CHANGED: "broken", COLUMN_CHANGED: "broken",
  STREAM_BROKEN: "broken", STREAM_OPEN: "incomplete", BODY_CLOSED: "incomplete", PROJECTION_CHANGED: "repairable",
  INDEX_CHANGED: "repairable",
  // accounting and control
  COVERAGE_BROKEN: "broken", OUTCOMES_CHANGED: "broken", DOUBLE_OUTCOME: "broken", OUTCOME_MISSING: "broken", ACCOUNTS_BROKEN: "broken",
  CONTROL_INVALID: "broken", TAIL_UNLOGGED: "incomplete",
  // what was given to the verifier
  INPUT_INVALID: "broken", INPUT_MISSING: "incomplete",
} as const; // biome-ignore format: a table
export type FindingCode = keyof typeof findingEffects;

export type FindingObject =
  | { readonly kind: "record"; readonly rid: Rid }
  /** Log indexes [from, to). */
  | { readonly kind: "leaves"; readonly from: number; readonly to: number }
  | ({ readonly kind: "tile" } & TileId)
  | { readonly kind: "head" }
  | { readonly kind: "checkpoint"; readonly name: string; readonly size: number | undefined }
  /** Offsets [from, to) of a source partition. */
  | { readonly kind: "outcomes"; readonly src: Src; readonly from: number; readonly to: number }
  | { readonly kind: "input" };

export type Finding = {
  readonly code: FindingCode;
  readonly object: FindingObject;
  /** For people; names no value of an event. */
  readonly detail: string;
};
export type Report = (finding: Finding) => void;

export type Verdict = "intact" | "broken" | "incomplete";

/** What a verdict rests on. `self` excludes neither a rewrite by the holder of the key nor a split view; the others do, up to their size. */
export type Basis =
  | { readonly kind: "self" }
  | { readonly kind: "pinned"; readonly size: number }
  | { readonly kind: "witnessed"; readonly k: number }
  /** `atMs`: when a time-stamping authority says that the checkpoint was there. */
  | { readonly kind: "anchored"; readonly size: number; readonly atMs?: number };

export type Verification = {
  readonly verdict: Verdict;
  /** Never empty: `self` is always part of it. */
  readonly basis: readonly Basis[];
  /** At most `findingsMax`. */
  readonly findings: readonly Finding[];
  /** How many there were of each code, listed or not. */
  readonly counts: FindingCounts;
  readonly checked: Readonly<Record<string, number>>;
};

export const findingsMax = 1_000;

export type Findings = {
  readonly report: Report;
  listed(): readonly Finding[];
  counts(): FindingCounts;
};
export type FindingCounts = Readonly<Partial<Record<FindingCode, number>>>;

/** What was found so far: where more was found than is listed, the counts alone tell. */
export type FindingsSoFar = { readonly listed: readonly Finding[]; readonly counts: FindingCounts };

/** Keeps the first `findingsMax` of what is reported, each once, and counts the rest. */
export function collectFindings(before: FindingsSoFar = { listed: [], counts: {} }): Findings {
  const listed = [...before.listed];
  const seen = new Set(listed.map(nameOf));
  const counts: Partial<Record<FindingCode, number>> = { ...before.counts };
  const report = (finding: Finding): void => {
    const name = nameOf(finding);
    if (seen.has(name)) return;
    counts[finding.code] = (counts[finding.code] ?? 0) + 1;
    if (listed.length >= findingsMax) return;
    seen.add(name);
    listed.push(finding);
  };
  return { report, listed: () => listed, counts: () => counts };
}

const nameOf = ({ code, object }: Finding): string => `${code} ${objectText(object)}`;

/** Broken outweighs incomplete; what can be repaired leaves the verdict as it is. */
export function verdictOf(codes: Iterable<FindingCode>): Verdict {
  const effects = new Set([...codes].map((code) => findingEffects[code]));
  return effects.has("broken") ? "broken" : effects.has("incomplete") ? "incomplete" : "intact";
}

export const verification = (
  findings: Findings,
  basis: readonly Basis[],
  checked: Readonly<Record<string, number>>,
): Verification => ({
  verdict: verdictOf(Object.keys(findings.counts()) as FindingCode[]),
  basis: [{ kind: "self" }, ...basis.filter(({ kind }) => kind !== "self")],
  findings: findings.listed(),
  counts: findings.counts(),
  checked,
});

export function objectText(object: FindingObject): string {
  switch (object.kind) {
    case "record":
      return `record ${object.rid}`;
    case "leaves":
      return object.to === object.from + 1
        ? `index ${object.from}`
        : `indexes ${object.from} to ${object.to - 1}`;
    case "tile":
      return `tile ${object.level}/${object.n}`;
    case "head":
      return "head";
    case "checkpoint":
      return `checkpoint ${object.name}${object.size === undefined ? "" : ` of size ${object.size}`}`;
    case "outcomes":
      return `offsets ${object.from} to ${object.to - 1} of ${object.src}`;
    case "input":
      return "input";
  }
}

export function basisText(basis: Basis): string {
  if (basis.kind === "witnessed") return `witnessed(${basis.k})`;
  if (basis.kind === "anchored" && basis.atMs !== undefined)
    return `anchored(${new Date(basis.atMs).toISOString()})`;
  return basis.kind;
}
