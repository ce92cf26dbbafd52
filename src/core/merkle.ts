/** The Merkle tree of RFC 6962 section 2.1, over hashes of complete subtrees that somebody else reads. The hash function is passed in. */

export type Sha256 = (bytes: Uint8Array) => Uint8Array;
export const hashBytes = 32;
/** No proof in a tree of at most 2^53 leaves has more hashes. */
export const pathHashesMax = 63;

/** SHA-256(0x00 ‖ entry). */
export function leafHashOf(sha256: Sha256, entry: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + entry.length);
  bytes.set(entry, 1);
  return sha256(bytes);
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return sha256(bytes);
}

export function equalHashes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** A complete subtree: 2^level leaves from leaf n · 2^level on. */
export type TreeNode = { readonly level: number; readonly n: number };
/** Hashes of complete subtrees, in the order asked. Throws when one cannot be had. */
export type HashReader = (nodes: readonly TreeNode[]) => Promise<readonly Uint8Array[]>;

/** Root of leaves that are all at hand; of none: SHA-256 of nothing. */
export function rootOf(sha256: Sha256, leafHashes: readonly Uint8Array[]): Uint8Array {
  if (leafHashes.length === 0) return sha256(new Uint8Array(0));
  const peaks: { level: number; hash: Uint8Array }[] = [];
  for (const leaf of leafHashes) {
    let peak = { level: 0, hash: leaf };
    for (let left = peaks.at(-1); left !== undefined && left.level === peak.level; left = peaks.at(-1)) {
      peaks.pop();
      peak = { level: peak.level + 1, hash: nodeHash(sha256, left.hash, peak.hash) };
    }
    peaks.push(peak);
  }
  return folded(
    sha256,
    peaks.map(({ hash }) => hash),
  );
}

/** Complete subtrees, left to right, folded from the right: the hash of their leaves as one (sub)tree. */
function folded(sha256: Sha256, peaks: readonly Uint8Array[]): Uint8Array {
  return peaks.reduceRight((right, left) => nodeHash(sha256, left, right));
}

/** The complete subtrees that make up leaves [from, to), left to right; `from` is a multiple of the largest power of two below to − from. */
function peaksOf(from: number, to: number): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    while (2 ** (level + 1) <= to - at) level++;
    nodes.push({ level, n: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The largest power of two below n (n ≥ 2). */
function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}

type Range = readonly [from: number, to: number];

/** Reads once what several ranges need, and gives each range's hash. */
async function rangeHashes(
  sha256: Sha256,
  ranges: readonly Range[],
  read: HashReader,
): Promise<readonly Uint8Array[]> {
  const peaks = ranges.map(([from, to]) => peaksOf(from, to));
  const hashes = await read(peaks.flat());
  let at = 0;
  return peaks.map((nodes) => {
    at += nodes.length;
    return folded(sha256, hashes.slice(at - nodes.length, at));
  });
}

/** The root of the first `size` leaves. */
export async function treeRoot(sha256: Sha256, size: number, read: HashReader): Promise<Uint8Array> {
  if (size === 0) return rootOf(sha256, []);
  const [root] = await rangeHashes(sha256, [[0, size]], read);
  if (root === undefined) throw new RangeError("a tree without a root");
  return root;
}

/** Siblings on the way from leaf `index` to the root of `size` leaves, the leaf's own first. Throws RangeError unless index < size. */
export async function inclusionPath(
  sha256: Sha256,
  index: number,
  size: number,
  read: HashReader,
): Promise<readonly Uint8Array[]> {
  if (!(index >= 0 && index < size)) throw new RangeError("the leaf does not lie in the tree");
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    ranges.push(index < middle ? [middle, to] : [from, middle]);
    [from, to] = index < middle ? [from, middle] : [middle, to];
  }
  return rangeHashes(sha256, ranges.reverse(), read);
}

/** RFC 6962 PROOF(oldSize, D[size]); empty for equal sizes and for an empty old tree. Throws RangeError unless oldSize ≤ size. */
export async function consistencyPath(
  sha256: Sha256,
  oldSize: number,
  size: number,
  read: HashReader,
): Promise<readonly Uint8Array[]> {
  if (!(oldSize >= 0 && oldSize <= size)) throw new RangeError("the old tree is larger than the new one");
  if (oldSize === 0 || oldSize === size) return [];
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (oldSize !== to) {
    const middle = from + splitOf(to - from);
    ranges.push(oldSize <= middle ? [middle, to] : [from, middle]);
    [from, to] = oldSize <= middle ? [from, middle] : [middle, to];
  }
  // A whole left part is known to who asks: only else is it part of the proof.
  if (from > 0) ranges.push([from, to]);
  return rangeHashes(sha256, ranges.reverse(), read);
}

type Path = readonly Uint8Array[];

const areHashes = (path: Path, ...others: Path): boolean =>
  path.length <= pathHashesMax && [...others, ...path].every((hash) => hash.length === hashBytes);

/** RFC 9162 section 2.1.3.2. Any claim may be asked about: what is no index, size or hash is false. */
export function verifyInclusion(
  sha256: Sha256,
  claim: {
    readonly index: number;
    readonly size: number;
    readonly leafHash: Uint8Array;
    readonly root: Uint8Array;
    readonly path: Path;
  },
): boolean {
  const { index, size, leafHash, root, path } = claim;
  if (!isIndex(index) || !isIndex(size) || index >= size) return false;
  if (!areHashes(path, leafHash, root)) return false;
  let [node, last, hash] = [index, size - 1, leafHash];
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sha256, sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = nodeHash(sha256, hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equalHashes(hash, root);
}

/** RFC 9162 section 2.1.4.2; every tree grew from the empty one, without a proof. */
export function verifyConsistency(
  sha256: Sha256,
  claim: {
    readonly oldSize: number;
    readonly oldRoot: Uint8Array;
    readonly size: number;
    readonly root: Uint8Array;
    readonly path: Path;
  },
): boolean {
  const { oldSize, oldRoot, size, root, path } = claim;
  if (!isIndex(oldSize) || !isIndex(size) || oldSize > size) return false;
  if (!areHashes(path, oldRoot, root)) return false;
  if (oldSize === size) return path.length === 0 && equalHashes(oldRoot, root);
  if (oldSize === 0) return path.length === 0 && equalHashes(oldRoot, rootOf(sha256, []));
  const [first, ...rest] = isPowerOfTwo(oldSize) ? [oldRoot, ...path] : path;
  if (first === undefined) return false;
  let [node, last] = [oldSize - 1, size - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [oldHash, hash] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHash(sha256, sibling, oldHash);
      hash = nodeHash(sha256, sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = nodeHash(sha256, hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equalHashes(oldHash, oldRoot) && equalHashes(hash, root);
}

const isIndex = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const half = (value: number): number => Math.floor(value / 2);
const isPowerOfTwo = (value: number): boolean => value === 1 || splitOf(value) * 2 === value;
