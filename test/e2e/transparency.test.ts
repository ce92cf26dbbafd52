/** The transparency log of the running service, verified from outside with nothing but its public doors. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseCheckpoint } from "../../src/core/checkpoint.ts";
import { leafHash } from "../../src/core/leaf.ts";
import { parseLogEntry } from "../../src/core/log-entries.ts";
import { rootOf, verifyConsistency, verifyInclusion } from "../../src/core/merkle.ts";
import { parseNote, parseVerifierKey, verifiedSignature } from "../../src/core/signed-note.ts";
import { decodeEntries, entriesPath, tileHashes, tilePath, tileWidth } from "../../src/core/tiles.ts";
import { parseTlogProof } from "../../src/core/tlog-proof.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService } from "../../src/gen/lastro/v1/operations_pb.ts";
import { type Record as Answer, LogState } from "../../src/gen/lastro/v1/record_pb.ts";
import {
  type Checkpoint,
  type Coverage,
  TransparencyService,
} from "../../src/gen/lastro/v1/transparency_pb.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

/** More than a full tile, on three partitions; an account stays on its partition. */
const [events, accounts, partitions] = [300, 40, 3];
/** FerretDB takes a tenth of a second for a proof. */
const askedEvery = 5;

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  let records: readonly Answer[];
  let checkpoint: Checkpoint;

  beforeAll(async () => {
    service = await startService(kind);
    const published = Array.from({ length: events }, (_, n) =>
      message(
        { payload: { public_id: `a-${n % accounts}`, n }, metadata: { event_id: `e-${n}` } },
        {},
        { partition: (n % accounts) % partitions },
      ),
    );
    await service.send(published);
    records = await everyRecord();
    const newest = new Map(records.toReversed().map(({ rid }) => [rid.slice(0, rid.lastIndexOf(".")), rid]));
    // A partition is logged in the order of its offsets.
    for (const rid of newest.values())
      await service.ask(HistoryService, "getRecord", {
        by: { case: "rid", value: rid },
        waitFor: LogState.LOGGED,
      });
    const answer = await service.ask(TransparencyService, "getCheckpoint", {});
    if (answer.checkpoint === undefined) throw new Error("no checkpoint");
    checkpoint = answer.checkpoint;
  }, startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  async function everyRecord(): Promise<readonly Answer[]> {
    const all: Answer[] = [];
    for (let pageToken = ""; ; ) {
      const page = await service.ask(HistoryService, "searchRecords", {
        filter: "kind = change",
        pageSize: 1_000,
        pageToken,
      });
      all.push(...page.records);
      pageToken = page.nextPageToken;
      if (pageToken === "") return all;
    }
  }
  const fetched = async (path: string): Promise<Uint8Array> => {
    const answer = await fetch(`${service.lastro().httpUrl}/${path}`);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
  /** By tiles, the last one partial. */
  async function everyTile(
    size: number,
    path: (n: number, width: number) => string,
  ): Promise<readonly Uint8Array[]> {
    const parts: Uint8Array[] = [];
    for (let n = 0; n * tileWidth < size; n++)
      parts.push(await fetched(path(n, Math.min(tileWidth, size - n * tileWidth))));
    return parts;
  }

  test("R-80 the tiles lead to the root of the checkpoint, the entry bundles to the tiles, and the genesis entry names the key that signed", async () => {
    const note = parseNote(new TextDecoder().decode(await fetched("checkpoint")));
    const tree = note && parseCheckpoint(note.text);
    if (note === undefined || tree === undefined) throw new Error("no checkpoint");
    const tiles = await everyTile(tree.size, (n, width) => tilePath({ level: 0, n }, width));
    const leaves = tiles.flatMap(tileHashes);
    expect(leaves).toHaveLength(tree.size);
    expect(Buffer.from(rootOf(sha256, leaves)).equals(tree.root)).toBe(true);
    const bundles = await everyTile(tree.size, entriesPath);
    const entries = bundles
      .flatMap((bundle) => decodeEntries(bundle) ?? [])
      .map((entry) => new TextDecoder().decode(entry));
    expect(
      entries.map(
        (entry, at) => leaves[at] !== undefined && Buffer.from(leafHash(sha256, entry)).equals(leaves[at]),
      ),
    ).toEqual(leaves.map(() => true));
    const genesis = parseLogEntry(entries[0] ?? "");
    if (genesis?.t !== "control" || genesis.kind !== "genesis") throw new Error("no genesis");
    const key = parseVerifierKey(sha256, genesis.data.vkey);
    expect(genesis.data.origin).toBe(tree.origin);
    expect(key && verifiedSignature(note, key, ed25519)).toBeDefined();
  });

  test("R-80 R-85 records are proven in the tree that was published, each by its own entry and at an index of its own", async () => {
    expect(records).toHaveLength(events);
    const indexes = new Set<bigint>();
    const asked = records.filter((_, at) => at % askedEvery === 0);
    for (const { rid, entry } of asked) {
      const proof = await service.ask(TransparencyService, "getInclusionProof", {
        by: { case: "rid", value: rid },
        treeSize: checkpoint.treeSize,
      });
      const claim = {
        index: Number(proof.index),
        size: Number(checkpoint.treeSize),
        root: checkpoint.rootHash,
      };
      const own = leafHash(sha256, new TextDecoder().decode(entry));
      expect(verifyInclusion(sha256, { ...claim, leafHash: own, path: proof.path })).toBe(true);
      indexes.add(proof.index);
    }
    expect(indexes.size).toBe(asked.length);
    const latest = await service.ask(TransparencyService, "getInclusionProof", {
      by: { case: "rid", value: records[0]?.rid ?? "" },
    });
    expect(parseTlogProof(latest.tlogProof)?.path).toEqual(latest.path);
  });

  test("R-81 coverage accounts for every offset of every partition, once, with the outcomes that intake tells", async () => {
    const { partitions } = await service.ask(OperationsService, "getIntake", {});
    for (const { src, mark, counts } of partitions) {
      const covered: Coverage[] = [];
      for (let pageToken = ""; ; ) {
        const page = await service.ask(TransparencyService, "getCoverage", { src, pageSize: 2, pageToken });
        covered.push(...page.coverages);
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
      const ends = [0n, ...covered.map(({ toOffset }) => toOffset)];
      expect(covered.map(({ fromOffset }) => fromOffset)).toEqual(ends.slice(0, -1));
      expect(ends.at(-1)).toBe(mark ?? 0n);
      const stored = covered.reduce((sum, coverage) => sum + (coverage.counts?.stored ?? 0n), 0n);
      expect(stored).toBe(counts?.stored ?? 0n);
    }
  });

  test("R-80 later trees are shown to hold the earlier one", async () => {
    await service.send([message({ payload: { public_id: "later" }, metadata: { event_id: "later" } })]);
    const eventId = { producerService: "team_service", form: { case: "metadata", value: "later" } } as const;
    const { record, treeSize } = await service.ask(HistoryService, "getRecord", {
      by: { case: "eventId", value: eventId },
      waitFor: LogState.LOGGED,
    });
    expect(record?.log?.state).toBe(LogState.LOGGED);
    expect(Number(treeSize)).toBeGreaterThan(Number(checkpoint.treeSize));
    const proof = await service.ask(TransparencyService, "getConsistencyProof", {
      oldSize: checkpoint.treeSize,
    });
    const answer = await service.ask(TransparencyService, "getCheckpoint", {});
    const [oldSize, size] = [Number(proof.oldSize), Number(proof.treeSize)];
    const claim = { oldSize, oldRoot: checkpoint.rootHash, size, root: proof.rootHash, path: proof.path };
    expect(verifyConsistency(sha256, claim)).toBe(true);
    if (answer.checkpoint?.treeSize === proof.treeSize)
      expect(Buffer.from(answer.checkpoint.rootHash).equals(proof.rootHash)).toBe(true);
  });
});
