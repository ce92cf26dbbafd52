/** Verifies a whole log from its static resources (C2SP tlog-tiles): every entry, every full tile, every root that was given. Trusts none of them. */
import type { Basis, Finding, Findings, Verification } from "./findings.ts";
import { collectFindings, verification } from "./findings.ts";
import { type LogEntry, parseLogEntry } from "./log-entries.ts";
import { type LogWalk, logWalk } from "./log-walk.ts";
import { equalHashes, leafHashOf } from "./merkle.ts";
import { type GrownTile, type RivalTrees, rivalTrees, trueLeaf } from "./rival-trees.ts";
import { decodeEntries, type TileId, tileHashes, tileWidth, tileWidthAt } from "./tiles.ts";
import {
  checkContinued,
  checkSignature,
  checkTrusted,
  countCosignatures,
  type OpenedCheckpoint,
  openCheckpoint,
  type Trust,
  type TrustedCheckpoint,
  trustedCheckpoints,
  type VerifyCrypto,
  witnessedBasis,
} from "./trust.ts";

/** Undefined: there is no such resource. Throws when it cannot be told. */
export type LogReader = {
  checkpoint(name: "latest" | "witnessed"): Promise<string | undefined>;
  tile(tile: TileId, width: number): Promise<Uint8Array | undefined>;
  entries(n: number, width: number): Promise<Uint8Array | undefined>;
};

export type VerifyLogOptions = {
  readonly trust: Trust;
  /** `lastro`: entries are Lastro's and are held against one another. `any`: a log of another program, whose tree alone is verified. */
  readonly entries: "lastro" | "any";
  readonly onProgress?: (leaves: number, size: number) => void;
};

/** Stretches of 256 leaves, one behind the other, of which neither entries nor tile can be had: behind them nothing is asked for. Who serves nothing may name any size. */
const absentStretchesMax = 16;

/** Leaves of the log's copies: computed from the entry, and as the tile has it. */
const [fromEntry, inTile] = [0, 1] as const;

export async function verifyLog(
  reader: LogReader,
  options: VerifyLogOptions,
  crypto: VerifyCrypto,
): Promise<Verification> {
  const findings = collectFindings();
  const { report } = findings;
  const published = await readCheckpoints(reader, report);
  const latest = published.find(({ name }) => name === "latest");
  if (latest === undefined) return verification(findings, [], {});
  const trusted = trustedCheckpoints(options.trust, report);
  // Its size says how much is read: nothing is where the verifier's own keys did not sign it.
  const given = { given: options.trust.vkeys, own: [] };
  if (given.given.length > 0 && !checkSignature(crypto, latest.opened, "latest", given, report))
    return verification(findings, [], {});
  const { size } = latest.opened.checkpoint;
  const sizes = [
    ...published.map(({ opened }) => opened.checkpoint.size),
    ...trusted.map((kept) => kept.size),
  ];
  const pass = {
    reader,
    crypto,
    findings,
    size,
    trees: rivalTrees(crypto.sha256, 2, sizes),
    walk: logWalk(crypto.sha256, report),
    absent: new Set<number>(),
    options,
  };
  const upper = await readLeaves(pass);
  await resolve(pass, upper, [...trusted, ...published.map(({ opened }) => opened.checkpoint)]);
  const basis = judge(pass, published, trusted);
  return verification(findings, basis, {
    leaves: pass.trees.size(),
    ...(options.entries === "lastro" ? pass.walk.counts() : {}),
  });
}

type Published = { readonly name: "latest" | "witnessed"; readonly opened: OpenedCheckpoint };
type Pass = {
  readonly reader: LogReader;
  readonly crypto: VerifyCrypto;
  readonly findings: Findings;
  readonly size: number;
  readonly trees: RivalTrees;
  readonly walk: LogWalk;
  /** Stretches of 256 leaves that could not be had: what lies above them in the trees is unknown. */
  readonly absent: Set<number>;
  readonly options: VerifyLogOptions;
};

/** The latest one last: a log that grows meanwhile gives one that holds what was witnessed before. */
async function readCheckpoints(reader: LogReader, report: Findings["report"]): Promise<readonly Published[]> {
  const found: Published[] = [];
  for (const name of ["witnessed", "latest"] as const) {
    const note = await reader.checkpoint(name);
    const object: Finding["object"] = { kind: "checkpoint", name, size: undefined };
    const opened = note === undefined ? undefined : openCheckpoint(note);
    if (opened !== undefined) found.push({ name, opened });
    else if (note !== undefined)
      report({ code: "CHECKPOINT_CHANGED", object, detail: "it is no signed checkpoint" });
    else if (name === "latest")
      report({ code: "INPUT_MISSING", object, detail: "the log has no checkpoint" });
  }
  return found;
}

/** Reads 256 leaves at a time, and ends where nothing is served any more. Gives the tiles above the leaves that differ from what a copy's tree has there. */
async function readLeaves(pass: Pass): Promise<readonly GrownTile[]> {
  const wrong: GrownTile[] = [];
  let running = 0;
  for (let n = 0; n * tileWidth < pass.size; n++) {
    const width = tileWidthAt({ level: 0, n }, pass.size);
    const [entries, tile] = await Promise.all([
      readEntries(pass, n, width),
      readTile(pass, { level: 0, n }, width),
    ]);
    if (entries === undefined && tile === undefined) pass.absent.add(n);
    for (let at = 0; at < width; at++) {
      const entry = entries?.[at];
      pass.trees.push([entry && leafHashOf(pass.crypto.sha256, entry), tile?.[at]]);
      if (pass.options.entries === "lastro")
        pass.walk.take(entry && parsedEntry(pass, entry, n * tileWidth + at));
    }
    for (const grown of pass.trees.filled()) if (await differs(pass, grown)) wrong.push(grown);
    pass.options.onProgress?.(pass.trees.size(), pass.size);
    running = pass.absent.has(n) ? running + 1 : 0;
    if (running >= absentStretchesMax && pass.trees.size() < pass.size) {
      reportUnread(pass);
      return wrong;
    }
  }
  for (const grown of pass.trees.partial()) if (await differs(pass, grown)) wrong.push(grown);
  return wrong;
}

function reportUnread({ findings, trees, size }: Pass): void {
  const object = { kind: "leaves", from: trees.size(), to: size } as const;
  const detail = `they were not asked for: of the ${absentStretchesMax * tileWidth} before them none is served`;
  findings.report({ code: "INPUT_MISSING", object, detail });
}

/** Tiles of leaves were read with the leaves. */
async function differs(pass: Pass, { tile, hashes }: GrownTile): Promise<boolean> {
  if (tile.level === 0) return false;
  const stored = await readTile(pass, tile, hashes.length);
  const stretches = tileWidth ** (tile.level - 1);
  const isKnown = (at: number): boolean => {
    const first = (tile.n * tileWidth + at) * stretches;
    for (let n = first; n < first + stretches; n++) if (pass.absent.has(n)) return false;
    return true;
  };
  return stored?.some((hash, at) => !equalHashes(hash, hashes[at] ?? hash) && isKnown(at)) ?? false;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Empty for bytes that are no UTF-8: they are no entry either. */
function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return "";
  }
}

function parsedEntry({ findings }: Pass, bytes: Uint8Array, index: number): LogEntry | undefined {
  const entry = parseLogEntry(textOf(bytes));
  if (entry !== undefined) return entry;
  findings.report({
    code: "ENTRY_INVALID",
    object: { kind: "leaves", from: index, to: index + 1 },
    detail: "Lastro writes no such entry",
  });
  return undefined;
}

async function readEntries(
  { reader, findings }: Pass,
  n: number,
  width: number,
): Promise<readonly Uint8Array[] | undefined> {
  const bundle = await reader.entries(n, width);
  const entries = bundle && decodeEntries(bundle);
  if (entries !== undefined && entries.length >= width) return entries;
  const object = { kind: "leaves", from: n * tileWidth, to: n * tileWidth + width } as const;
  if (bundle === undefined)
    findings.report({ code: "INPUT_MISSING", object, detail: "their entries are not served" });
  else findings.report({ code: "ENTRY_CHANGED", object, detail: "their entry bundle does not hold them" });
  return undefined;
}

async function readTile(
  { reader, findings }: Pass,
  tile: TileId,
  width: number,
): Promise<readonly Uint8Array[] | undefined> {
  const bytes = await reader.tile(tile, width);
  const hashes = bytes && tileHashes(bytes);
  if (bytes !== undefined && hashes !== undefined && bytes.length % 32 === 0 && hashes.length >= width)
    return hashes;
  const object = { kind: "tile", level: tile.level, n: tile.n } as const;
  if (bytes === undefined) findings.report({ code: "INPUT_MISSING", object, detail: "it is not served" });
  else findings.report({ code: "TILE_CHANGED", object, detail: "it does not hold its hashes" });
  return undefined;
}

/** Names what differs from the copy that has a trusted root. */
async function resolve(
  pass: Pass,
  wrong: readonly GrownTile[],
  trusted: readonly { readonly size: number; readonly root: Uint8Array }[],
): Promise<void> {
  const { report } = pass.findings;
  const truth = pass.trees.trueCopy(trusted);
  for (const { index, copies } of pass.trees.differences()) {
    const leaf = trueLeaf(copies, truth);
    const [entry, tile] = [copies[fromEntry], copies[inTile]];
    if (leaf === undefined) continue;
    if (tile !== undefined && !equalHashes(tile, leaf)) {
      const object = { kind: "tile", level: 0, n: Math.floor(index / tileWidth) } as const;
      report({ code: "TILE_CHANGED", object, detail: `it has another hash for index ${index}` });
    }
    if (entry === undefined || equalHashes(entry, leaf)) continue;
    const detail = `the tree commits to another entry at index ${index}`;
    report({ code: "ENTRY_CHANGED", object: await entryObject(pass, index), detail });
  }
  for (const { copies, tile } of wrong) {
    if (copies.includes(truth ?? 0))
      report({
        code: "TILE_CHANGED",
        object: { kind: "tile", ...tile },
        detail: "it differs from the tree below it",
      });
  }
}

/** The record that lies there now, if it is one. */
async function entryObject({ reader, options, size }: Pass, index: number): Promise<Finding["object"]> {
  const n = Math.floor(index / tileWidth);
  const bundle = await reader.entries(n, tileWidthAt({ level: 0, n }, size));
  const bytes = bundle && decodeEntries(bundle)?.[index % tileWidth];
  const entry = options.entries === "any" || bytes === undefined ? undefined : parseLogEntry(textOf(bytes));
  return entry?.t === "record"
    ? { kind: "record", rid: entry.rid }
    : { kind: "leaves", from: index, to: index + 1 };
}

function judge(
  { trees, walk, crypto, options, findings, size: latestSize }: Pass,
  published: readonly Published[],
  trusted: readonly TrustedCheckpoint[],
): readonly Basis[] {
  const { report } = findings;
  const { trust } = options;
  const rootAt = (size: number): Uint8Array | undefined => trees.rootsAt(size)?.[fromEntry];
  let [cosigned, isSigned] = [0, false];
  for (const { name, opened } of published) {
    const { origin, size, root } = opened.checkpoint;
    const object: Finding["object"] = { kind: "checkpoint", name, size };
    const found = rootAt(size);
    const changed = (detail: string): void => report({ code: "CHECKPOINT_CHANGED", object, detail });
    // Below the latest size the root is unknown only where leaves are missing, which was reported.
    if (size > latestSize) changed("it is larger than the latest one");
    else if (found !== undefined && !equalHashes(found, root))
      changed("the entries make up a tree with another root");
    if (options.entries === "lastro" && walk.origin() !== undefined && walk.origin() !== origin)
      changed("it is of another log than the genesis names");
    const own = name === "latest" ? walk.vkeys() : walk.everyVkey();
    isSigned = checkSignature(crypto, opened, name, { given: trust.vkeys, own }, report);
    const valid = countCosignatures(crypto, opened, name, trust.witnesses.vkeys, report);
    if (found !== undefined && equalHashes(found, root)) cosigned = Math.max(cosigned, valid);
  }
  reportOpen(walk, options, report);
  const latest = published.find(({ name }) => name === "latest")?.opened;
  const object: Finding["object"] = { kind: "checkpoint", name: "latest", size: latest?.checkpoint.size };
  const basis = [
    ...witnessedBasis(cosigned, trust.witnesses.k, object, report),
    ...checkTrusted(trusted, latest?.checkpoint.origin, rootAt, report),
  ];
  // The latest is the last one: it was found signed.
  if (latest !== undefined && isSigned && trust.vkeys.length === 0)
    checkContinued(crypto, latest, "latest", basis, walk.vkeys, report);
  return basis;
}

function reportOpen(walk: LogWalk, { entries }: VerifyLogOptions, report: Findings["report"]): void {
  if (entries === "any") return;
  for (const { version, rid } of walk.earlyVersions())
    report({
      code: "STREAM_OPEN",
      object: { kind: "record", rid },
      detail: `a version before ${version} is not in the log`,
    });
  const run = walk.run();
  if (run !== undefined) {
    const object = { kind: "outcomes", src: run.src, from: run.lowest, to: run.last + 1 } as const;
    report({
      code: "TAIL_UNLOGGED",
      object,
      detail: "the last records of the log have no coverage entry yet",
    });
  }
}
