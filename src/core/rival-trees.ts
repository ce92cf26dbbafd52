/** One tree for each copy of the leaves: they are one tree until two copies differ. Which copy is true, a trusted root decides in the end. */
import { type GrowingTree, growingTree, type TreeEdge } from "./growing-tree.ts";
import { equalHashes, hashBytes, type Sha256 } from "./merkle.ts";
import { type TileId, tileWidth } from "./tiles.ts";

type Hash = Uint8Array;
/** The leaf at an index as each copy has it; undefined: that copy has none. */
export type LeafCopies = readonly (Hash | undefined)[];
export type Difference = { readonly index: number; readonly copies: LeafCopies };
/** A tile as the tree of these copies has it. */
export type GrownTile = {
  readonly copies: readonly number[];
  readonly tile: TileId;
  readonly hashes: readonly Hash[];
};

export type RivalState = {
  /** Of each copy; undefined: it is the first copy's tree. */
  readonly edges: readonly (TreeEdge | undefined)[];
  readonly roots: readonly (readonly [number, readonly Hash[]])[];
  readonly differences: readonly Difference[];
  readonly firstUnknown: number | undefined;
};

export type RivalTrees = {
  push(copies: LeafCopies): void;
  size(): number;
  /** Tiles that filled since the last call, of every tree that stands for itself. */
  filled(): readonly GrownTile[];
  /** Tiles that are not full, of every such tree. */
  partial(): readonly GrownTile[];
  /** Roots by copy, at a size that was asked for and reached while every leaf was known. */
  rootsAt(size: number): readonly Hash[] | undefined;
  /** At most `differencesMax`. */
  differences(): readonly Difference[];
  /** The first copy whose tree has one of these roots, tried in this order. */
  trueCopy(roots: readonly { readonly size: number; readonly root: Hash }[]): number | undefined;
  state(): RivalState;
};

export const differencesMax = 10_000;

export function rivalTrees(
  sha256: Sha256,
  copies: number,
  sizes: readonly number[],
  before: RivalState = { edges: [], roots: [], differences: [], firstUnknown: undefined },
): RivalTrees {
  const filled: GrownTile[] = [];
  /** The first copy's tree is also that of those that never differed from it. */
  const sharing = (copy: number): readonly number[] =>
    copy > 0 ? [copy] : Array.from({ length: copies }, (_, at) => at).filter((at) => forks[at] === undefined);
  const grow = (copy: number, edge: TreeEdge | undefined): GrowingTree =>
    growingTree(sha256, (tile, hashes) => filled.push({ copies: sharing(copy), tile, hashes }), edge);
  const main = grow(0, before.edges[0]);
  const forks: (GrowingTree | undefined)[] = Array.from({ length: copies }, (_, copy) => {
    const edge = copy === 0 ? undefined : before.edges[copy];
    return edge && grow(copy, edge);
  });
  const differences = [...before.differences];
  const wanted = new Set(sizes);
  const roots = new Map(before.roots);
  let firstUnknown = before.firstUnknown ?? Number.POSITIVE_INFINITY;
  /** Stands for a leaf that no copy has, so that those behind it keep their places. */
  const unknown = (): Hash => {
    firstUnknown = Math.min(firstUnknown, main.size());
    return new Uint8Array(hashBytes);
  };
  const note = (): void => {
    const size = main.size();
    if (!wanted.has(size)) return;
    const root = main.root();
    roots.set(
      size,
      Array.from({ length: copies }, (_, copy) => forks[copy]?.root() ?? root),
    );
  };
  if (main.size() === 0) note();

  function pushDifferent(given: LeafCopies, base: Hash): void {
    if (differences.length < differencesMax) differences.push({ index: main.size(), copies: given });
    for (let copy = 1; copy < copies; copy++) {
      const leaf = given[copy] ?? base;
      if (forks[copy] === undefined && !equalHashes(leaf, base)) forks[copy] = grow(copy, main.edge());
    }
  }

  return {
    push(given) {
      const base = given.find((hash) => hash !== undefined) ?? unknown();
      const agree = given.every((hash) => hash === undefined || hash === base || equalHashes(hash, base));
      if (!agree) pushDifferent(given, base);
      main.push(base);
      for (const [copy, fork] of forks.entries()) fork?.push(given[copy] ?? base);
      note();
    },
    size: main.size,
    filled: () => filled.splice(0),
    partial: () =>
      [main, ...forks.slice(1)].flatMap((tree, copy) => {
        const { size, levels } = tree?.edge() ?? { size: 0, levels: [] };
        return levels.flatMap((hashes, level) =>
          hashes.length === 0
            ? []
            : [
                {
                  copies: sharing(copy),
                  tile: { level, n: Math.floor(size / tileWidth ** (level + 1)) },
                  hashes,
                },
              ],
        );
      }),
    rootsAt: (size) => (size > firstUnknown ? undefined : roots.get(size)),
    differences: () => differences,
    trueCopy(trusted) {
      for (const { size, root } of trusted) {
        const copy =
          (size > firstUnknown ? undefined : roots.get(size))?.findIndex((found) =>
            equalHashes(found, root),
          ) ?? -1;
        if (copy >= 0) return copy;
      }
      return undefined;
    },
    state: () => ({
      edges: [main.edge(), ...forks.slice(1).map((fork) => fork?.edge())],
      roots: [...roots],
      differences: [...differences],
      firstUnknown: Number.isFinite(firstUnknown) ? firstUnknown : undefined,
    }),
  };
}

/** The leaf that is true: as the true copy has it; where no root decides, as most copies have it. */
export function trueLeaf(copies: LeafCopies, trueCopy: number | undefined): Hash | undefined {
  const present = copies.filter((hash) => hash !== undefined);
  const decided = trueCopy === undefined ? undefined : (copies[trueCopy] ?? present[0]);
  if (decided !== undefined) return decided;
  return present.toSorted((a, b) => votes(b) - votes(a))[0];
  function votes(hash: Hash): number {
    return present.filter((other) => equalHashes(other, hash)).length;
  }
}
