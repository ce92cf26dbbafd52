/** Holds head and published checkpoints against the tree that was recomputed, and against what the operator kept elsewhere. */
import { type Basis, type Finding, type FindingCode, findingEffects, type Report } from "../core/findings.ts";
import { equalHashes } from "../core/merkle.ts";
import {
  checkContinued,
  checkSignature,
  checkTrusted,
  countCosignatures,
  type OpenedCheckpoint,
  openCheckpoint,
  type Trust,
  type TrustedCheckpoint,
  witnessedBasis,
} from "../core/trust.ts";
import type { CheckpointName, LogHead, PublishedCheckpoint } from "../ports/log-store.ts";
import type { CheckDeps, CheckPass } from "./check-pass.ts";

export type Published = {
  readonly name: CheckpointName;
  readonly stored: PublishedCheckpoint;
  readonly opened: OpenedCheckpoint | undefined;
};

/** Sizes and roots that the stored log is held against; read before the leaves, so that all of them lie below. */
export type Targets = {
  readonly head: LogHead | undefined;
  readonly published: readonly Published[];
  readonly trusted: readonly TrustedCheckpoint[];
  /** Rows of log_index. */
  readonly rows: number;
};

export async function readTargets(
  { log }: CheckDeps,
  trusted: readonly TrustedCheckpoint[],
  signal: AbortSignal,
): Promise<Targets> {
  const published: Published[] = [];
  // The latest one last: a log that grows meanwhile has one that holds what was witnessed before.
  for (const name of ["witnessed", "latest"] as const) {
    const stored = await log.checkpoint(name, signal);
    if (stored !== undefined) published.push({ name, stored, opened: openCheckpoint(stored.note) });
  }
  const head = await log.head(signal);
  return { head, published, trusted, rows: await log.size(signal) };
}

/** What the note says, or where it says nothing what the columns say. */
const claimOf = ({ stored, opened }: Published): LogHead => opened?.checkpoint ?? stored;

/** Everything that the tree must have a known root at, the most trusted first. */
export const rootsOf = ({ head, published, trusted }: Targets): readonly LogHead[] => [
  ...trusted,
  ...published.map(claimOf),
  ...(head === undefined ? [] : [head]),
];

/** Leaves to check: as many as anything claims that the rows could hold. */
export function sizeToCheck(targets: Targets): number {
  const claims = rootsOf(targets).map(({ size }) => size);
  return claims.length === 0 ? targets.rows : Math.min(targets.rows, Math.max(...claims));
}

/** Claims that reach beyond the rows: leaves are missing, unless only the head says so. */
export function checkSizes({ head, published, trusted, rows }: Targets, report: Report): void {
  const committed = Math.max(
    0,
    ...trusted.map(({ size }) => size),
    ...published.map((one) => claimOf(one).size),
  );
  const changed = (detail: string): void =>
    report({ code: "HEAD_CHANGED", object: { kind: "head" }, detail });
  if (committed > rows)
    report({
      code: "LEAF_MISSING",
      object: { kind: "leaves", from: rows, to: committed },
      detail: "log_index ends before them",
    });
  if (head === undefined) {
    if (committed > 0) changed("there is none, and a checkpoint was published");
    else if (rows > 0)
      report({ code: "INPUT_MISSING", object: { kind: "head" }, detail: "the log has no head yet" });
    return;
  }
  if (head.size > rows) changed(`it counts ${head.size} leaves, and log_index ends at ${rows}`);
  if (head.size < committed) changed(`it counts ${head.size} leaves, and ${committed} were published`);
}

export function judgeCheckpoints(
  pass: CheckPass,
  targets: Targets,
  truth: number,
  trust: Trust,
): readonly Basis[] {
  const { report, counts } = pass.findings;
  const rootAt = (size: number): Uint8Array | undefined => pass.trees.rootsAt(size)?.[truth];
  const { head, published, trusted } = targets;
  const headRoot = head && rootAt(head.size);
  if (head !== undefined && headRoot !== undefined && !equalHashes(headRoot, head.root))
    report({
      code: "HEAD_CHANGED",
      object: { kind: "head" },
      detail: "the stored entries have another root",
    });
  let cosigned = 0;
  for (const one of published) cosigned = Math.max(cosigned, judgeOne(pass, one, rootAt, trust));
  judgeMissing(pass, targets, trust);
  const latest = published.find(({ name }) => name === "latest");
  const object: Finding["object"] = { kind: "checkpoint", name: "latest", size: latest?.stored.size };
  const basis = [
    ...witnessedBasis(cosigned, trust.witnesses.k, object, report),
    ...checkTrusted(trusted, pass.walk.origin(), rootAt, report),
  ];
  // A tree that is broken confirms nothing.
  const isBroken = Object.keys(counts()).some((code) => findingEffects[code as FindingCode] === "broken");
  if (isBroken) return [];
  if (latest?.opened !== undefined && trust.vkeys.length === 0)
    checkContinued(pass.deps.crypto, latest.opened, "latest", basis, pass.walk.vkeys, report);
  return basis;
}

/** How many witnesses' cosignatures it carries, if the tree confirms it. */
function judgeOne(
  { deps, walk, findings: { report } }: CheckPass,
  { name, stored, opened }: Published,
  rootAt: (size: number) => Uint8Array | undefined,
  trust: Trust,
): number {
  const object: Finding["object"] = { kind: "checkpoint", name, size: stored.size };
  const changed = (detail: string): void => report({ code: "CHECKPOINT_CHANGED", object, detail });
  if (opened === undefined) {
    changed("it is no signed checkpoint");
    return 0;
  }
  const { size, root, origin } = opened.checkpoint;
  const signatures = opened.note.signatures.length;
  if (size !== stored.size || !equalHashes(root, stored.root) || signatures !== stored.signatures)
    changed("its columns differ from the note");
  const found = rootAt(size);
  const isConfirmed = found !== undefined && equalHashes(found, root);
  if (found !== undefined && !isConfirmed) changed("the stored entries have another root");
  if (walk.origin() !== undefined && walk.origin() !== origin) changed("it is of another log");
  const own = name === "latest" ? walk.vkeys() : walk.everyVkey();
  checkSignature(deps.crypto, opened, name, { given: trust.vkeys, own }, report);
  const valid = countCosignatures(deps.crypto, opened, name, trust.witnesses.vkeys, report);
  return isConfirmed ? valid : 0;
}

/** Checkpoints only go forward: what was published once is there, or a newer one is. */
function judgeMissing(
  { deps, findings: { report } }: CheckPass,
  { published, trusted }: Targets,
  trust: Trust,
): void {
  const kept = Math.max(0, ...trusted.map(({ size }) => size));
  const missing = (name: CheckpointName, size: number, found: number): void => {
    const object: Finding["object"] = { kind: "checkpoint", name, size };
    if (found < size)
      report({
        code: "CHECKPOINT_MISSING",
        object,
        detail: "one of this size was published, and none that is as new is stored",
      });
  };
  const sizeOf = (name: CheckpointName): number =>
    published.find((one) => one.name === name)?.stored.size ?? -1;
  const least = Math.max(kept, sizeOf("witnessed"));
  if (least > 0) missing("latest", least, sizeOf("latest"));
  else if (sizeOf("latest") < 0) {
    const object: Finding["object"] = { kind: "checkpoint", name: "latest", size: undefined };
    report({ code: "INPUT_MISSING", object, detail: "nothing was published yet" });
  }
  const pin = trust.pin === undefined ? undefined : openCheckpoint(trust.pin);
  if (pin === undefined || trust.witnesses.k === 0) return;
  const cosigned = countCosignatures(deps.crypto, pin, "pinned", trust.witnesses.vkeys, report);
  if (cosigned < trust.witnesses.k) return;
  missing("witnessed", pin.checkpoint.size, sizeOf("witnessed"));
  const stored = published.find(({ name }) => name === "witnessed");
  if (stored?.opened === undefined) return;
  const left = countCosignatures(deps.crypto, stored.opened, "witnessed", trust.witnesses.vkeys, report);
  const object: Finding["object"] = { kind: "checkpoint", name: "witnessed", size: stored.stored.size };
  if (left < trust.witnesses.k)
    report({
      code: "CHECKPOINT_CHANGED",
      object,
      detail: `${left} of ${trust.witnesses.k} cosignatures are left on it`,
    });
}
