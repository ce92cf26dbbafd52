/** The operator's check: accounts, records, log_index, tiles, head and checkpoints of a store held against one another, in both directions. Changes nothing. */
import { type Basis, collectFindings, type Verification, verification } from "../core/findings.ts";
import { parseLogEntry } from "../core/log-entries.ts";
import { logWalk } from "../core/log-walk.ts";
import { equalHashes } from "../core/merkle.ts";
import { rivalTrees, trueLeaf } from "../core/rival-trees.ts";
import { tileWidth } from "../core/tiles.ts";
import { type Trust, trustedCheckpoints } from "../core/trust.ts";
import {
  checkSizes,
  judgeCheckpoints,
  readTargets,
  rootsOf,
  sizeToCheck,
  type Targets,
} from "./check-checkpoints.ts";
import { checkLeaves } from "./check-leaves.ts";
import {
  type CheckDeps,
  type CheckPass,
  computedCopy,
  flushBlock,
  indexedCopy,
  leafCopies,
  leavesObject,
  recordObject,
  reportGone,
  tileCopy,
} from "./check-pass.ts";
import { rangeChecker } from "./check-range.ts";
import { checkSources } from "./check-sources.ts";
import { assertGoesOn, type CheckState, stateOf } from "./check-state.ts";

export type CheckOptions = {
  readonly trust: Trust;
  /** Where an earlier check of the same store was interrupted. */
  readonly resume: CheckState | undefined;
  readonly onProgress: (leaves: number, size: number) => void;
  /** Called between runs; `state` is costly and made only when asked for. */
  readonly onRun: (state: () => CheckState) => Promise<void>;
};

/** Rejects as the store does, and with INVALID_ARGUMENT where it cannot go on from `resume`; what is wrong with the data is a finding, never an exception. */
export async function checkStore(
  deps: CheckDeps,
  options: CheckOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const { resume } = options;
  const findings = collectFindings(resume?.findings);
  const trusted = trustedCheckpoints(options.trust, findings.report);
  const targets = await readTargets(deps, trusted, signal);
  const sizes = rootsOf(targets).map(({ size }) => size);
  const size = sizeToCheck(targets);
  const origin = await originOf(deps, signal);
  if (resume !== undefined)
    assertGoesOn(resume, { origin, opensBodies: deps.openBodies !== undefined, sizes });
  const { sha256 } = deps.crypto;
  const pass: CheckPass = {
    deps,
    checkRange: deps.checkRange ?? rangeChecker(deps),
    findings,
    trees: rivalTrees(sha256, leafCopies, sizes, resume?.trees),
    walk: logWalk(sha256, findings.report, resume?.walk),
    origin,
    size,
    headSize: Math.min(targets.head?.size ?? 0, size),
    signal,
    block: [...(resume?.block ?? [])],
    gone: [...(resume?.gone ?? [])],
    objects: new Map(resume?.objects),
    wrong: [...(resume?.wrong ?? [])],
    bodies: { opened: resume?.opened ?? 0 },
  };
  await checkLeaves(pass, async (next) => {
    options.onProgress(next, size);
    await options.onRun(() => stateOf(pass));
  });
  await flushBlock(pass);
  options.onProgress(size, size);
  const basis = await judge(pass, targets, options.trust);
  const indexed = await deps.checkIndex?.(findings.report, signal);
  return verification(findings, basis, {
    leaves: size,
    ...pass.walk.counts(),
    ...(deps.openBodies === undefined ? {} : { bodiesOpened: pass.bodies.opened }),
    ...(indexed === undefined ? {} : { indexed }),
  });
}

async function originOf({ log }: CheckDeps, signal: AbortSignal): Promise<string | undefined> {
  const [first] = await log.rows(0, 1, signal);
  const entry = first?.entry === undefined ? undefined : parseLogEntry(first.entry);
  return entry?.t === "control" && entry.kind === "genesis" ? entry.data.origin : undefined;
}

async function judge(pass: CheckPass, targets: Targets, trust: Trust): Promise<readonly Basis[]> {
  const { findings, walk, deps, signal } = pass;
  const { report } = findings;
  checkSizes(targets, report);
  const truth = pass.trees.trueCopy(rootsOf(targets));
  nameDifferences(pass, truth);
  const isLogged = await checkSources(deps.audit, walk.sources(), report, signal);
  for (const gone of pass.gone)
    if (gone.kids.some((kid) => !walk.fenced().has(kid))) reportGone(report, gone);
  const run = walk.run();
  if (run !== undefined) {
    const object = { kind: "outcomes", src: run.src, from: run.lowest, to: run.last + 1 } as const;
    report({
      code: "TAIL_UNLOGGED",
      object,
      detail: "the last records of the log have no coverage entry yet",
    });
  }
  for (const { rid, version } of walk.earlyVersions())
    report({
      code: isLogged && run === undefined ? "STREAM_BROKEN" : "STREAM_OPEN",
      object: recordObject(rid),
      detail: `a version before ${version} of its stream is not in the log`,
    });
  return judgeCheckpoints(pass, targets, truth ?? computedCopy, trust);
}

/** Names what differs from the copy that has the most trusted root that any has. */
function nameDifferences(
  { trees, objects, wrong, findings: { report } }: CheckPass,
  truth: number | undefined,
): void {
  for (const { index, copies } of trees.differences()) {
    const leaf = trueLeaf(copies, truth);
    const isWrong = (copy: number): boolean => {
      const hash = copies[copy];
      return hash !== undefined && leaf !== undefined && !equalHashes(hash, leaf);
    };
    const object = objects.get(index) ?? leavesObject(index);
    if (isWrong(computedCopy))
      report({
        code: "ENTRY_CHANGED",
        object,
        detail: `the tree commits to another entry at index ${index}`,
      });
    if (isWrong(indexedCopy))
      report({
        code: "LEAF_CHANGED",
        object: leavesObject(index),
        detail: "its row has another leaf hash than the tree",
      });
    const tile = { kind: "tile", level: 0, n: Math.floor(index / tileWidth) } as const;
    if (isWrong(tileCopy))
      report({ code: "TILE_CHANGED", object: tile, detail: `it has another hash for index ${index}` });
  }
  for (const { copies, tile } of wrong) {
    if (copies.includes(truth ?? computedCopy))
      report({
        code: "TILE_CHANGED",
        object: { kind: "tile", ...tile },
        detail: "it differs from the tree below it",
      });
  }
}
