import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatCheckpoint, parseCheckpoint } from "../../../src/core/checkpoint.ts";
import { controlEntry } from "../../../src/core/log-entries.ts";
import {
  consistencyPath, inclusionPath, leafHashOf, rootOf, treeRoot, verifyConsistency, verifyInclusion,
} from "../../../src/core/merkle.ts"; // biome-ignore format: one line
import {
  formatNote,
  formatVerifierKey,
  parseNote,
  verifiedSignature,
} from "../../../src/core/signed-note.ts";
import { decodeEntries, encodeEntries } from "../../../src/core/tiles.ts";
import { bytes, ed25519, flipped, hex, sha256, testSigner } from "../../support/log.ts";
import { buildMsMax, fsck, outsideProgram, writeTesseraLog } from "../../support/outside.ts";
import { readStaticEntries, staticHashes, writeStaticLog } from "../../support/static-log.ts";

const signer = testSigner("lastro.local/0123456789abcdef");
const vkey = formatVerifierKey(sha256, signer.key);
const root = mkdtempSync(join(tmpdir(), "lastro-outside-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(outsideProgram, buildMsMax);

/** Lastro's own in the first bundles; short ones behind them, where only size matters. */
const entriesOf = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, at) => bytes(at < 700 ? heartbeat(at) : `entry ${at}`));
const heartbeat = (at: number): string =>
  controlEntry({ kind: "heartbeat", data: {}, id: `heartbeat-${at}`, atMs: 1_795_251_600_000 + at });

describe("Tessera's check of a log that we wrote", () => {
  test.each([1, 2, 255, 256, 257, 700, 65_536 + 300])(
    "finds nothing in one of %d leaves",
    async (size) => {
      const dir = mkdtempSync(join(root, "ours-"));
      await writeStaticLog(dir, entriesOf(size), signer);
      expect(await fsck(dir, vkey)).toBeUndefined();
    },
    120_000,
  );

  test("goes over HTTP too, with the authorization that the log asks for", async () => {
    const dir = mkdtempSync(join(root, "ours-"));
    await writeStaticLog(dir, entriesOf(300), signer);
    const server = createServer((request, response) => {
      const path = join(dir, request.url ?? "");
      const status = request.headers.authorization !== "Bearer reader" ? 401 : existsSync(path) ? 200 : 404;
      response.writeHead(status).end(status === 200 ? readFileSync(path) : "");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await fsck(url, vkey, "Bearer reader")).toBeUndefined();
      expect(await fsck(url, vkey)).toMatch(/401/);
      rmSync(join(dir, "tile/0/001.p/44"));
      expect(await fsck(url, vkey, "Bearer reader")).toMatch(/refused/);
    } finally {
      server.close();
    }
  });

  test("finds another key, and another origin under the same key", async () => {
    const dir = mkdtempSync(join(root, "ours-"));
    await writeStaticLog(dir, entriesOf(3), signer);
    const other = testSigner(signer.key.name, "ed25519", "another");
    expect(await fsck(dir, formatVerifierKey(sha256, other.key))).toMatch(/refused/);
    const note = parseNote(readFileSync(join(dir, "checkpoint"), "utf8"));
    const text = note?.text.replace("lastro", "lastra") ?? "";
    writeFileSync(join(dir, "checkpoint"), formatNote({ text, signatures: [signer.signature(text)] }));
    expect(await fsck(dir, vkey)).toMatch(/refused/);
  });
});

describe("Tessera's check of a log that was tampered with", () => {
  const size = 700;
  const [whole, entries] = [mkdtempSync(join(root, "whole-")), entriesOf(size)];
  let paths: readonly string[] = [];
  beforeAll(async () => {
    paths = await writeStaticLog(whole, entries, signer);
  });

  /** Signs what the log's key never signed: the operator lies. */
  const signed = (text: string): string => formatNote({ text, signatures: [signer.signature(text)] });
  const inFile =
    (change: (content: Uint8Array, bit: number) => Uint8Array | string) =>
    (dir: string, path: string, bit: number) =>
      writeFileSync(join(dir, path), change(readFileSync(join(dir, path)), bit));

  type Tampering = readonly [
    what: string,
    at: (path: string) => boolean,
    tamper: (dir: string, path: string, bit: number) => void,
  ];
  const isTile = (path: string): boolean => /^tile\/\d/.test(path);
  const isBundle = (path: string): boolean => path.startsWith("tile/entries/");
  const isCheckpoint = (path: string): boolean => path === "checkpoint";
  test.each<Tampering>([
    ["a bit of a tile", isTile, inFile(flipped)],
    ["a tile that is cut off", isTile, inFile((content) => content.slice(32))],
    ["a tile that is gone", isTile, (dir, path) => rmSync(join(dir, path))],
    ["a bundle that is gone", isBundle, (dir, path) => rmSync(join(dir, path))],
    [
      "a letter of an entry",
      isBundle,
      inFile((content, bit) =>
        withEntries(content, (all) =>
          all.with(bit % all.length, flipped(all[bit % all.length] ?? content, bit)),
        ),
      ),
    ],
    [
      "two entries in each other's place",
      isBundle,
      inFile((content, bit) => withEntries(content, (all) => swapped(all, bit))),
    ],
    [
      "an entry that is gone",
      isBundle,
      inFile((content, bit) => withEntries(content, (all) => all.toSpliced(bit % all.length, 1))),
    ],
    [
      "an entry too many in the middle",
      isBundle,
      inFile((content, bit) =>
        withEntries(content, (all) => all.toSpliced(bit % all.length, 0, bytes("more"))),
      ),
    ],
    ["a length of an entry", isBundle, inFile((content) => content.with(1, (content[1] ?? 0) ^ 1))],
    ["a bundle with half an entry", isBundle, inFile((content) => content.slice(0, -1))],
    [
      "a checkpoint of another size",
      isCheckpoint,
      inFile((content) => String(Buffer.from(content)).replace(`\n${size}\n`, `\n${size - 1}\n`)),
    ],
    [
      "a signed checkpoint with another root",
      isCheckpoint,
      inFile((_, bit) =>
        signed(
          formatCheckpoint({ origin: signer.key.name, size, root: flipped(rootOf(sha256, entries), bit) }),
        ),
      ),
    ],
    [
      "a signed checkpoint of one leaf less",
      isCheckpoint,
      inFile((content) =>
        signed(
          String(parseNote(String(Buffer.from(content)))?.text).replace(`\n${size}\n`, `\n${size - 1}\n`),
        ),
      ),
    ],
    [
      "a checkpoint without signature",
      isCheckpoint,
      inFile((content) => `${parseNote(String(Buffer.from(content)))?.text}\n`),
    ],
  ])("finds %s", async (_, at, tamper) => {
    const files = paths.filter(at);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), fc.nat(), async (path, bit) => {
        const dir = mkdtempSync(join(root, "tampered-"));
        cpSync(whole, dir, { recursive: true });
        tamper(dir, path, bit);
        expect(await fsck(dir, vkey)).toMatch(/refused/);
        rmSync(dir, { recursive: true });
      }),
      { numRuns: 3 },
    );
  });

  const withEntries = (
    bundle: Uint8Array,
    change: (entries: readonly Uint8Array[]) => readonly Uint8Array[],
  ): Uint8Array => encodeEntries(change(decodeEntries(bundle) ?? []));
  function swapped(all: readonly Uint8Array[], bit: number): readonly Uint8Array[] {
    const [one, other] = [bit % all.length, (bit + 1) % all.length];
    return all.with(one, all[other] ?? bytes("")).with(other, all[one] ?? bytes(""));
  }
});

describe("A log that Tessera wrote", () => {
  const size = 1_000;
  const entries = Array.from({ length: size }, (_, at) => bytes(`entry ${at} ${"x".repeat(at % 300)}`));
  const other = testSigner("tessera.example/log");
  const dir = mkdtempSync(join(root, "theirs-"));
  beforeAll(() => writeTesseraLog(dir, other.secret, entries), buildMsMax);

  function head() {
    const note = parseNote(readFileSync(join(dir, "checkpoint"), "utf8"));
    if (note === undefined || verifiedSignature(note, other.key, ed25519) === undefined)
      throw new Error("the checkpoint does not verify");
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint === undefined) throw new Error("the checkpoint is not read");
    return checkpoint;
  }

  test("is read by us: its checkpoint verifies and is written again to the letter", () => {
    const checkpoint = head();
    expect(checkpoint).toMatchObject({ origin: "tessera.example/log", size });
    const text = formatCheckpoint(checkpoint);
    const note = formatNote({ text, signatures: [other.signature(text)] });
    expect(note).toBe(readFileSync(join(dir, "checkpoint"), "utf8"));
  });

  test("has the root that we compute, from its entries and from its tiles", async () => {
    const read = readStaticEntries(dir, size);
    expect(read.map(hex)).toEqual(entries.map(hex));
    const leaves = read.map((entry) => leafHashOf(sha256, entry));
    expect(hex(rootOf(sha256, leaves))).toBe(hex(head().root));
    expect(hex(await treeRoot(sha256, size, staticHashes(dir, size)))).toBe(hex(head().root));
  });

  test("has proofs that we make of its tiles and verify against its checkpoint", async () => {
    const [hashes, checkpoint] = [staticHashes(dir, size), head()];
    await fc.assert(
      fc.asyncProperty(fc.nat(size - 1), async (index) => {
        const leafHash = leafHashOf(sha256, entries[index] ?? bytes(""));
        const path = await inclusionPath(sha256, index, size, hashes);
        expect(verifyInclusion(sha256, { ...checkpoint, index, leafHash, path })).toBe(true);
        const oldSize = index + 1;
        const oldRoot = rootOf(
          sha256,
          entries.slice(0, oldSize).map((entry) => leafHashOf(sha256, entry)),
        );
        const grown = await consistencyPath(sha256, oldSize, size, hashes);
        expect(verifyConsistency(sha256, { ...checkpoint, oldSize, oldRoot, path: grown })).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
