/** Trees, keys and stored logs for the tests of the log. Hashes and signatures are node:crypto's, so that the code under test is judged by another. */
import { createPrivateKey, createPublicKey, hash, sign, verify } from "node:crypto";
import { toBase64 } from "../../src/core/base64.ts";
import {
  type HashReader,
  leafHashOf,
  nodeHash,
  rootOf,
  type Sha256,
  type TreeNode,
} from "../../src/core/merkle.ts";
import {
  cosignatureBytes,
  cosignedMessage,
  type Ed25519Verify,
  type KeyType,
  type NoteSignature,
  type VerifierKey,
  verifierKey,
} from "../../src/core/signed-note.ts";
import { fullTiles, joinHashes, tileWidth } from "../../src/core/tiles.ts";
import { controlKey, type LogRow } from "../../src/ports/log-store.ts";

export const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Changes one bit; which one comes from the number. */
export const flipped = (of: Uint8Array, bit: number): Uint8Array =>
  of.map((byte, at) => (at === Math.floor(bit / 8) % of.length ? byte ^ (1 << (bit % 8)) : byte));

export type Tree = {
  readonly leaves: readonly Uint8Array[];
  readonly read: HashReader;
  readonly rootAt: (size: number) => Uint8Array;
};

/** A tree of leaf hashes with all its subtrees computed beforehand. */
export function treeOf(leaves: readonly Uint8Array[]): Tree {
  const levels: Uint8Array[][] = [[...leaves]];
  for (let below = leaves; below.length > 1; ) {
    const level: Uint8Array[] = [];
    for (let at = 0; at + 1 < below.length; at += 2)
      level.push(nodeHash(sha256, below[at] as Uint8Array, below[at + 1] as Uint8Array));
    levels.push(level);
    below = level;
  }
  const at = ({ level, n }: TreeNode): Uint8Array => {
    const found = levels[level]?.[n];
    if (found === undefined) throw new RangeError(`no subtree ${level}/${n}`);
    return found;
  };
  return {
    leaves,
    read: async (nodes) => nodes.map(at),
    rootAt: (size) => rootOf(sha256, leaves.slice(0, size)),
  };
}

export const leafHashes = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, at) => leafHashOf(sha256, bytes(`leaf ${at}`)));

/** A tree of any size in which all leaves are the same but one: large trees without large memory. */
export function sparseTree(index: number): { readonly leafHash: Uint8Array; readonly read: HashReader } {
  const leafHash = leafHashOf(sha256, bytes("the one"));
  const others = [leafHashOf(sha256, bytes("another"))];
  const other = (level: number): Uint8Array => {
    const known = others[level];
    if (known !== undefined) return known;
    const below = other(level - 1);
    const made = nodeHash(sha256, below, below);
    others[level] = made;
    return made;
  };
  const at = ({ level, n }: TreeNode): Uint8Array => {
    if (Math.floor(index / 2 ** level) !== n) return other(level);
    if (level === 0) return leafHash;
    const half = { level: level - 1, n: n * 2 };
    return nodeHash(sha256, at(half), at({ ...half, n: half.n + 1 }));
  };
  return { leafHash, read: async (nodes) => nodes.map(at) };
}

/** What a store holds of a log: bytes of full tiles by level and n, and a row for each leaf. */
export type StoredLog = { readonly tiles: Map<string, Uint8Array>; readonly rows: LogRow[] };

export async function storedLog(tree: Tree): Promise<StoredLog> {
  const rows = tree.leaves.map(
    (leafHash, index): LogRow => ({ index, key: controlKey(String(index)), leafHash, entry: undefined }),
  );
  const tiles = new Map<string, Uint8Array>();
  for (const { level, n } of fullTiles(0, rows.length)) {
    const nodes = Array.from({ length: tileWidth }, (_, at) => ({ level: level * 8, n: n * tileWidth + at }));
    tiles.set(`${level}/${n}`, joinHashes(await tree.read(nodes)));
  }
  return { tiles, rows };
}

export const ed25519: Ed25519Verify = (publicKey, message, signature) =>
  verify(
    null,
    message,
    createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") },
      format: "jwk",
    }),
    signature,
  );

export type TestSigner = {
  readonly key: VerifierKey;
  /** As the note package of Go keeps private keys. */
  readonly secret: string;
  signature(text: string, timestampS?: number): NoteSignature;
};

const pkcs8Head = Buffer.from("302e020100300506032b657004220420", "hex");

/** An Ed25519 key of its own for each label. */
export function testSigner(name: string, type: KeyType = "ed25519", label: string = name): TestSigner {
  const seed = sha256(bytes(label));
  const secretKey = createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: "der", type: "pkcs8" });
  const publicKey = new Uint8Array(
    createPublicKey(secretKey).export({ format: "der", type: "spki" }).subarray(-32),
  );
  const key = verifierKey(sha256, { name, type, publicKey });
  const id = key.id.toString(16).padStart(8, "0");
  return {
    key,
    secret: `PRIVATE+KEY+${name}+${id}+${toBase64(Uint8Array.of(1, ...seed))}`,
    signature(text, timestampS = 0) {
      const signed = (message: Uint8Array): Uint8Array => new Uint8Array(sign(null, message, secretKey));
      const made =
        type === "ed25519"
          ? signed(bytes(text))
          : cosignatureBytes(timestampS, signed(cosignedMessage(timestampS, text)));
      return { name, id: key.id, bytes: made };
    },
  };
}
