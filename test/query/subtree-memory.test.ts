import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { type HashReader, rootOf, type Sha256, type TreeNode } from "../../src/core/merkle.ts";
import { subtreeMemory } from "../../src/query/subtree-memory.ts";

const sha256: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const hex = (hash: Uint8Array | undefined): string => Buffer.from(hash ?? []).toString("hex");

/** A tree in which leaf n is n, kept in memory; what is asked of it is written down. */
function tree(asked: string[], leafOf = (n: number) => Buffer.alloc(32, n % 251)): HashReader {
  return async (nodes) => {
    asked.push(...nodes.map(({ level, n }) => `${level}/${n}`));
    return nodes.map(({ level, n }) =>
      rootOf(
        sha256,
        Array.from({ length: 2 ** level }, (_, at) => leafOf(n * 2 ** level + at)),
      ),
    );
  };
}

const nodes: readonly TreeNode[] = [
  { level: 8, n: 1 },
  { level: 0, n: 7 },
  { level: 9, n: 3 },
  { level: 5, n: 9 },
  { level: 6, n: 4 },
];

test("hashes are those of the tree, in the order asked, the second time as the first", async () => {
  const read = subtreeMemory(sha256).around(tree([]));
  const truth = (await tree([])(nodes)).map(hex);
  expect((await read(nodes)).map(hex)).toEqual(truth);
  expect((await read(nodes.toReversed())).map(hex)).toEqual(truth.toReversed());
});

test("what was read or put together once is not read again, nor are its parts", async () => {
  const asked: string[] = [];
  const read = subtreeMemory(sha256).around(tree(asked));
  await read([
    { level: 8, n: 1 },
    { level: 9, n: 3 },
  ]);
  expect(asked).toEqual(["5/8", "5/9", "5/10", "5/11", "5/12", "5/13", "5/14", "5/15", "9/3"]);
  await read([
    { level: 9, n: 3 },
    { level: 7, n: 3 },
    { level: 6, n: 4 },
    { level: 5, n: 9 },
    { level: 8, n: 1 },
  ]);
  expect(asked).toHaveLength(9);
  await read([{ level: 4, n: 20 }]);
  await read([{ level: 4, n: 20 }]);
  expect(asked.slice(9)).toEqual(["4/20"]);
});

test("what is forgotten is read again", async () => {
  const memory = subtreeMemory(sha256);
  const wrong = tree([], () => Buffer.alloc(32, 255));
  await memory.around(wrong)(nodes);
  memory.forget();
  expect((await memory.around(tree([]))(nodes)).map(hex)).toEqual((await tree([])(nodes)).map(hex));
});

test.each([
  ["lower", 4, 4_096],
  ["higher", 5, 65_536],
])("of %s ones the oldest give way when there are too many", async (_, level, max) => {
  const asked: string[] = [];
  const flat =
    (heard: string[]): HashReader =>
    async (wanted) => {
      heard.push(...wanted.map(({ level, n }) => `${level}/${n}`));
      return wanted.map(() => new Uint8Array(32));
    };
  const memory = subtreeMemory(sha256);
  const many = Array.from({ length: max + 1 }, (_, n) => ({ level, n }));
  await memory.around(flat([]))(many);
  await memory.around(flat(asked))([0, 1, max].map((n) => ({ level, n })));
  expect(asked).toEqual([`${level}/0`]);
});
