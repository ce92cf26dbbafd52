import { type Client, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { leafHash } from "../../../src/core/leaf.ts";
import { coverageEntry, parseLogEntry } from "../../../src/core/log-entries.ts";
import { verifyConsistency, verifyInclusion } from "../../../src/core/merkle.ts";
import { parseNote, verifiedSignature } from "../../../src/core/signed-note.ts";
import { parseTlogProof } from "../../../src/core/tlog-proof.ts";
import {
  CheckpointName,
  LogEntryKind,
  TransparencyService,
} from "../../../src/gen/lastro/v1/transparency_pb.ts";
import { type LogReads, publishedLog } from "../../../src/query/published-log.ts";
import { type BuiltLog, buildLog } from "../../support/built-log.ts";
import { call, connect, failureOf, noOperations, serve, type TestServer } from "../../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld, worldSrc } from "../../support/history-world.ts";
import { ed25519, sha256 } from "../../support/log.ts";

/** Records at indexes 300 to 304 with their coverage at 305; 307 published with witnesses, 700 without. */
const firstRecord = 300;
const witnessedSize = 307;
const size = 700;
let world: HistoryWorld;
let built: BuiltLog;
let server: TestServer;
let client: Client & Disposable;
let rids: readonly string[];
let witnessedNote: string;
let latestNote: string;

/** A clock that is a second later each time: nothing is remembered of the checkpoint. */
function laterEachTime(): () => number {
  let nowMs = 0;
  return () => {
    nowMs += 1_000;
    return nowMs;
  };
}
const depsOver = (log: LogReads) => ({ ...world.deps, log: publishedLog({ log, now: laterEachTime() }) });

beforeAll(async () => {
  world = await openHistoryWorld();
  built = buildLog(world.store.log);
  await built.heartbeats(firstRecord);
  const rows = await world.publish(...events(5));
  rids = rows.map(({ rid }) => rid);
  await built.records(worldSrc, 0, rows);
  await built.heartbeats(1);
  await built.publish();
  witnessedNote = (await built.publish("witnessed")).note;
  await built.heartbeats(size - built.size());
  latestNote = (await built.publish()).note;
  // Laid, and not published.
  await built.heartbeats(20);
  server = await serve(depsOver(world.store.log));
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ payload: { public_id: "a-1", n } }));
const rowAt = (index: number) => {
  const row = built.rows()[index];
  if (row === undefined) throw new Error(`no row ${index}`);
  return row;
};
const byIndex = (index: number) => ({ by: { case: "index", value: BigInt(index) } }) as const;
const byControl = (id: string) => ({ by: { case: "control", value: id } }) as const;
const byRid = (at: number) => ({ by: { case: "rid", value: rids[at] ?? "" } }) as const;

describe("checkpoints", () => {
  test.each([
    [CheckpointName.UNSPECIFIED, () => latestNote, size],
    [CheckpointName.LATEST, () => latestNote, size],
    [CheckpointName.WITNESSED, () => witnessedNote, witnessedSize],
  ])(
    "checkpoint %i is the note that was published, and its fields are those of the note",
    async (name, note, leaves) => {
      const { checkpoint } = await call(client, TransparencyService, "getCheckpoint", { name });
      expect(checkpoint).toMatchObject({
        note: note(),
        origin: built.key.name,
        treeSize: BigInt(leaves),
        rootHash: Uint8Array.from(built.rootAt(leaves)),
      });
      const parsed = parseNote(checkpoint?.note ?? "");
      expect(parsed && verifiedSignature(parsed, built.key, ed25519)).toBeDefined();
    },
  );
});

describe("inclusion proofs", () => {
  const sizes = [1, 2, 3, 255, 256, 257, 300, 301, witnessedSize, 511, 512, 513, 699, size];
  test.each(sizes)("every leaf that is asked for is proven in the tree of %i", async (treeSize) => {
    const root = built.rootAt(treeSize);
    for (const index of [0, 1, 127, 255, 256, 299, 300, 305, 511, 512, 640, 698, 699]) {
      if (index >= treeSize) continue;
      const proof = await call(client, TransparencyService, "getInclusionProof", {
        ...byIndex(index),
        treeSize: BigInt(treeSize),
      });
      const { leafHash } = rowAt(index);
      expect([proof.index, proof.treeSize]).toEqual([BigInt(index), BigInt(treeSize)]);
      expect(Buffer.from(proof.leafHash).equals(leafHash)).toBe(true);
      expect(Buffer.from(proof.rootHash).equals(root)).toBe(true);
      expect(verifyInclusion(sha256, { index, size: treeSize, leafHash, root, path: proof.path })).toBe(true);
    }
  });

  test.each([
    ["the latest checkpoint", CheckpointName.UNSPECIFIED, () => latestNote, size],
    ["the witnessed checkpoint", CheckpointName.WITNESSED, () => witnessedNote, witnessedSize],
  ])("a record's proof travels with %s as one text", async (_, checkpoint, note, leaves) => {
    const proof = await call(client, TransparencyService, "getInclusionProof", { ...byRid(2), checkpoint });
    const parsed = parseTlogProof(proof.tlogProof);
    expect(parsed).toEqual({
      extra: undefined,
      index: firstRecord + 2,
      path: proof.path,
      checkpoint: note(),
    });
    const { leafHash } = rowAt(firstRecord + 2);
    const claim = { index: firstRecord + 2, size: leaves, leafHash, root: built.rootAt(leaves) };
    expect(verifyInclusion(sha256, { ...claim, path: parsed?.path ?? [] })).toBe(true);
  });

  test("the text rests on the checkpoint of the size asked for, and is empty where none was published", async () => {
    const textOf = async (treeSize: number): Promise<string> =>
      (
        await call(client, TransparencyService, "getInclusionProof", {
          ...byRid(0),
          treeSize: BigInt(treeSize),
        })
      ).tlogProof;
    expect(await textOf(witnessedSize)).toContain(witnessedNote);
    expect(await textOf(size)).toContain(latestNote);
    expect(await textOf(500)).toBe("");
  });
});

describe("consistency proofs", () => {
  test("every tree is proven to be a prefix of every larger one", async () => {
    const sizes = [0, 1, 2, 3, 128, 255, 256, 257, 300, witnessedSize, 512, 600, 699, size];
    for (const oldSize of sizes) {
      for (const newSize of sizes.filter((larger) => larger >= oldSize)) {
        const proof = await call(client, TransparencyService, "getConsistencyProof", {
          oldSize: BigInt(oldSize),
          treeSize: BigInt(newSize),
        });
        const [oldRoot, root] = [built.rootAt(oldSize), built.rootAt(newSize)];
        expect(Buffer.from(proof.oldRootHash).equals(oldRoot)).toBe(true);
        expect(Buffer.from(proof.rootHash).equals(root)).toBe(true);
        expect(verifyConsistency(sha256, { oldSize, oldRoot, size: newSize, root, path: proof.path })).toBe(
          true,
        );
      }
    }
  });

  test("without a size it leads to the latest tree", async () => {
    const proof = await call(client, TransparencyService, "getConsistencyProof", { oldSize: 5n });
    expect([proof.oldSize, proof.treeSize]).toEqual([5n, BigInt(size)]);
  });
});

describe("entries", () => {
  test.each([
    ["control", 0, LogEntryKind.CONTROL],
    ["record", firstRecord + 4, LogEntryKind.RECORD],
    ["coverage", firstRecord + 5, LogEntryKind.COVERAGE],
  ])("a %s entry is given to the byte, and hashes to its leaf", async (kind, index, wire) => {
    const answer = await call(client, TransparencyService, "getEntry", byIndex(index));
    expect([answer.index, answer.kind, answer.treeSize]).toEqual([BigInt(index), wire, BigInt(size)]);
    const text = new TextDecoder().decode(answer.entry);
    expect(parseLogEntry(text)?.t).toBe(kind);
    expect(Buffer.from(answer.leafHash).equals(leafHash(sha256, text))).toBe(true);
    expect(Buffer.from(answer.leafHash).equals(rowAt(index).leafHash)).toBe(true);
  });

  test("a record's entry is found by its rid, and is the record's own", async () => {
    const answer = await call(client, TransparencyService, "getEntry", byRid(3));
    expect(answer.index).toBe(BigInt(firstRecord + 3));
    expect(parseLogEntry(new TextDecoder().decode(answer.entry))).toMatchObject({
      t: "record",
      rid: rids[3],
    });
  });

  test("a control entry is found by its id", async () => {
    const { key, entry } = rowAt(7);
    const asked = { by: { case: "control", value: key.slice("ctl:".length) } } as const;
    const answer = await call(client, TransparencyService, "getEntry", asked);
    expect([answer.index, answer.kind]).toEqual([7n, LogEntryKind.CONTROL]);
    expect(new TextDecoder().decode(answer.entry)).toBe(entry);
  });
});

describe("coverage", () => {
  /** Coverage of [0, 5), then of four offsets each up to 45; the last two are not published. */
  let covered: TestServer;
  let asker: Client & Disposable;
  let log: BuiltLog;
  let own: HistoryWorld;
  beforeAll(async () => {
    own = await openHistoryWorld();
    log = buildLog(own.store.log);
    const rows = await own.publish(...events(45));
    await log.records(worldSrc, 0, rows.slice(0, 5));
    for (let from = 5; from < 45; from += 4) {
      await log.records(worldSrc, from, rows.slice(from, from + 4));
      if (from === 33) await log.publish();
    }
    covered = await serve({ ...own.deps, log: publishedLog({ log: own.store.log, now: laterEachTime() }) });
    asker = connect(covered.address);
  });
  afterAll(async () => {
    asker[Symbol.dispose]();
    await covered[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  });
  const ask = (fromOffset: number, toOffset: number, more: object = {}) =>
    call(asker, TransparencyService, "getCoverage", {
      src: worldSrc,
      fromOffset: BigInt(fromOffset),
      toOffset: BigInt(toOffset),
      ...more,
    });

  test.each([
    ["from the start on, as far as the log is published", 0, 0, [0, 5, 9, 13, 17, 21, 25, 29, 33]],
    ["of one offset inside an entry", 7, 8, [5]],
    ["from an entry's first offset", 9, 10, [9]],
    ["to an entry's first offset, which is not in the range", 3, 9, [0, 5]],
    ["of no offset", 9, 9, []],
    ["of offsets that are laid and not published", 37, 45, []],
    ["of offsets that nothing accounts for yet", 1_000, 2_000, []],
  ])("coverage %s", async (_, from, to, starts) => {
    const { coverages, nextPageToken } = await ask(from, to);
    expect(coverages.map(({ fromOffset }) => Number(fromOffset))).toEqual(starts);
    expect(nextPageToken).toBe("");
  });

  test("page by page, each entry once, each proven in the tree of its page's checkpoint", async () => {
    const starts: number[] = [];
    for (let pageToken = "", pages = 1; ; pages++) {
      const page = await ask(0, 0, { pageSize: 2, pageToken });
      const [root, leaves] = [page.checkpoint?.rootHash, Number(page.checkpoint?.treeSize)];
      expect(Buffer.from(root ?? []).equals(log.rootAt(leaves))).toBe(true);
      for (const coverage of page.coverages) {
        const text = new TextDecoder().decode(coverage.entry);
        const covers = parseLogEntry(text);
        if (covers?.t !== "coverage" || root === undefined) throw new Error("no coverage");
        expect(coverageEntry(covers)).toBe(text);
        expect(coverage).toMatchObject({
          fromOffset: BigInt(covers.from), toOffset: BigInt(covers.to), count: BigInt(covers.n),
          firstIndex: coverage.index - BigInt(covers.n), counts: { stored: BigInt(covers.n) },
        }); // biome-ignore format: one line of fields
        expect(Buffer.from(coverage.listHash).toString("base64url")).toBe(covers.list);
        const index = Number(coverage.index);
        const claim = { index, size: leaves, leafHash: leafHash(sha256, text), root, path: coverage.path };
        expect(verifyInclusion(sha256, claim)).toBe(true);
        starts.push(covers.from);
      }
      pageToken = page.nextPageToken;
      if (pageToken !== "") continue;
      expect(pages).toBe(5);
      break;
    }
    expect(starts).toEqual([0, 5, 9, 13, 17, 21, 25, 29, 33]);
  });

  test("a page token belongs to its question", async () => {
    const { nextPageToken: pageToken } = await ask(0, 0, { pageSize: 2 });
    const failure = await failureOf(ask(0, 40, { pageToken }));
    expect(failure).toMatchObject({ code: status.INVALID_ARGUMENT, fields: ["page_token"] });
  });
});

describe("what cannot be answered is refused with a reason", () => {
  const unknown = `${worldSrc}.999`;
  test.each([
    ["a leaf without a name", "getInclusionProof", {}, "INVALID_ARGUMENT", "by"],
    ["a rid that is none", "getInclusionProof", { by: { case: "rid", value: "x" } }, "INVALID_ARGUMENT", "rid"],
    ["a record that is not stored", "getInclusionProof", { by: { case: "rid", value: unknown } }, "NOT_FOUND", "rid"],
    ["an index below 0", "getInclusionProof", byIndex(-1), "INVALID_ARGUMENT", "index"],
    ["an index that is not published", "getInclusionProof", byIndex(size), "NOT_FOUND", "index"],
    ["a leaf outside of the tree asked for", "getInclusionProof", { ...byIndex(9), treeSize: 9n }, "FAILED_PRECONDITION", "tree_size"],
    ["a leaf that is not witnessed", "getInclusionProof", { ...byIndex(400), checkpoint: 2 }, "NOT_FOUND", "index"],
    ["an empty tree", "getInclusionProof", { ...byIndex(0), treeSize: 0n }, "INVALID_ARGUMENT", "tree_size"],
    ["a tree larger than the published one", "getInclusionProof", { ...byIndex(0), treeSize: 701n }, "FAILED_PRECONDITION", "tree_size"],
    ["a checkpoint of another name", "getInclusionProof", { ...byIndex(0), checkpoint: 7 }, "INVALID_ARGUMENT", "checkpoint"],
    ["a checkpoint of another name", "getCheckpoint", { name: 7 }, "INVALID_ARGUMENT", "name"],
    ["an old tree below 0", "getConsistencyProof", { oldSize: -1n }, "INVALID_ARGUMENT", "old_size"],
    ["an old tree larger than the new one", "getConsistencyProof", { oldSize: 9n, treeSize: 8n }, "INVALID_ARGUMENT", "tree_size"],
    ["an old tree that is not published", "getConsistencyProof", { oldSize: 701n }, "FAILED_PRECONDITION", "old_size"],
    ["a new tree that is not published", "getConsistencyProof", { oldSize: 1n, treeSize: 701n }, "FAILED_PRECONDITION", "tree_size"],
    ["an entry without a name", "getEntry", {}, "INVALID_ARGUMENT", "by"],
    ["an entry that is not published", "getEntry", byIndex(size + 5), "NOT_FOUND", "index"],
    ["a control entry that is not there", "getEntry", byControl("key.00000000"), "NOT_FOUND", "control"],
    ["a control entry that is not published", "getEntry", byControl(`hb-${size + 5}`), "NOT_FOUND", "control"],
    ["what is no id of a control entry", "getEntry", byControl("key.\0"), "INVALID_ARGUMENT", "control"],
    ["coverage of no source", "getCoverage", { src: "x" }, "INVALID_ARGUMENT", "src"],
    ["coverage of a range that ends before it begins", "getCoverage", { src: worldSrc, fromOffset: 5n, toOffset: 4n }, "INVALID_ARGUMENT", "to_offset"],
    ["a page of less than nothing", "getCoverage", { src: worldSrc, pageSize: -1 }, "INVALID_ARGUMENT", "page_size"],
  ] as const)("%s: %s", async (_, method, request, reason, field) => {
    const failure = await failureOf(call(client, TransparencyService, method, request as object));
    expect(failure).toMatchObject({ code: status[reason], reason, domain: "lastro", fields: reason === "INVALID_ARGUMENT" ? [field] : [] });
  }); // biome-ignore format: a table

  test("a record that waits for its index, with what to do", async () => {
    const [row] = await world.publish({ payload: { public_id: "late" } });
    const asked = { by: { case: "rid", value: row?.rid ?? "" } } as const;
    for (const method of ["getInclusionProof", "getEntry"] as const) {
      const failure = await failureOf(call(client, TransparencyService, method, asked));
      expect(failure).toMatchObject({ code: status.FAILED_PRECONDITION, reason: "FAILED_PRECONDITION" });
      expect(failure.message).toContain("wait_for");
    }
  });

  test("a log that nothing is published of", async () => {
    await using fresh = await openHistoryWorld();
    await using empty = await serve(fresh.deps);
    using asker = connect(empty.address);
    for (const [method, request] of [
      ["getCheckpoint", {}],
      ["getInclusionProof", byIndex(0)],
      ["getConsistencyProof", { oldSize: 0n }],
      ["getEntry", byIndex(0)],
      ["getCoverage", { src: worldSrc }],
    ] as const) {
      const failure = await failureOf(call(asker, TransparencyService, method, request as object));
      expect([method, failure.reason]).toEqual([method, "FAILED_PRECONDITION"]);
    }
    await buildLog(fresh.store.log).heartbeats(1);
    const failure = await failureOf(call(asker, TransparencyService, "getCheckpoint", { name: 2 }));
    expect(failure.reason).toBe("FAILED_PRECONDITION");
    expect(failure.message).toContain("witness");
  });
});

describe("what is stored and cannot be the log is named, never given", () => {
  const changedRow =
    (at: number) =>
    (log: LogReads): LogReads => ({
      ...log,
      rows: async (...args) =>
        (await log.rows(...args)).map((row) =>
          row.index === at ? { ...row, leafHash: new Uint8Array(32) } : row,
        ),
      leaves: async (...args) =>
        (await log.leaves(...args)).map((leaf) => (leaf.index === at ? { ...leaf, stored: "{}" } : leaf)),
    });
  const changedTile = (log: LogReads): LogReads => ({
    ...log,
    tile: async (...args) => (await log.tile(...args))?.fill(7, 32, 64),
  });
  test.each([
    ["a leaf hash", changedRow(640), "getInclusionProof", byIndex(640)],
    ["the leaf hash beside it", changedRow(641), "getInclusionProof", byIndex(640)],
    ["a leaf hash in the way of an old tree", changedRow(520), "getConsistencyProof", { oldSize: 521n }],
    ["a full tile", changedTile, "getInclusionProof", byIndex(5)],
    ["a full tile", changedTile, "getConsistencyProof", { oldSize: 100n, treeSize: 200n }],
    ["an entry", changedRow(3), "getEntry", byIndex(3)],
  ] as const)("%s that was changed: %s", async (_, change, method, request) => {
    await using broken = await serve(depsOver((change as (log: LogReads) => LogReads)(world.store.log)));
    using asker = connect(broken.address);
    const failure = await failureOf(call(asker, TransparencyService, method, request as object));
    expect(failure).toMatchObject({ code: status.DATA_LOSS, reason: "LOG_DAMAGED" });
  });

  test("once it is mended, proofs verify again: nothing wrong is remembered", async () => {
    let isBroken = true;
    const log = world.store.log;
    const sometimes: LogReads = {
      ...log,
      tile: async (...args) => {
        const tile = await log.tile(...args);
        return isBroken ? tile?.fill(7) : tile;
      },
    };
    await using mended = await serve(depsOver(sometimes), noOperations);
    using asker = connect(mended.address);
    const ask = () => call(asker, TransparencyService, "getInclusionProof", byIndex(650));
    expect((await failureOf(ask())).reason).toBe("LOG_DAMAGED");
    isBroken = false;
    expect((await ask()).index).toBe(650n);
  });
});
