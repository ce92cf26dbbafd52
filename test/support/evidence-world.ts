/** A log that intake and sequencer made, with a server that gives evidence of it: its signing key can be rotated, its checkpoint cosigned. */
import { randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportFiles } from "../../src/adapters/files/export-files.ts";
import { openSqliteStore } from "../../src/adapters/sqlite/open.ts";
import { type Rid, ridOf, srcOf } from "../../src/core/ids.ts";
import { parseNote } from "../../src/core/signed-note.ts";
import { Operations } from "../../src/gen/google/longrunning/operations_pb.ts";
import { ExportFormat, ExportService } from "../../src/gen/lastro/v1/export_pb.ts";
import { ingestBatch } from "../../src/ingest/ingest-batch.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { openExports } from "../../src/query/exports.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { cosign } from "./checked-log.ts";
import { limits } from "./export-world.ts";
import { call, callStream, connect, noOperations, serve } from "./grpc-client.ts";
import { auditEvent, batchOf, openIntake, silentLog, stationSettings, topicId } from "./intake.ts";
import { type LogWorld, openLogWorld } from "./log-world.ts";
import { temporaryFolder } from "./sqlite.ts";
import { unguarded } from "./unguarded.ts";

const partition = 0;
export const src = srcOf(topicId, partition);
export const ridAt = (offset: number): Rid => ridOf(src, offset);

export type EvidenceWorld = AsyncDisposable & {
  readonly address: string;
  readonly log: LogWorld;
  /** The latest checkpoint. */
  note(): string;
  /** Takes in that many events, each a record, and logs them. */
  publish(events: number): Promise<void>;
  /** Begins a rotation of the signing key, and has it come to its end: the new key signs alone. */
  announceKey(): Promise<void>;
  retireKey(): Promise<void>;
  /** A witness cosigns the latest checkpoint; gives its verifier key. */
  cosign(): Promise<string>;
  /** A server of the store as it is now, for ever. */
  serveCopy(): Promise<AsyncDisposable & { readonly address: string }>;
  /** An export of all as evidence. */
  exported(treeSize?: number): Promise<string>;
};

export async function openEvidenceWorld(): Promise<EvidenceWorld> {
  const folder = temporaryFolder();
  const store = await openSqliteStore({ path: join(folder.path, "lastro.db") });
  const intake = await openIntake(store, (bytes) => randomBytes(bytes));
  const log = await openLogWorld({ store });
  let clock = 0;
  // Later each time: nothing is remembered of a checkpoint.
  const now = (): number => {
    clock += 1_000;
    return clock;
  };
  const query: QueryDeps = {
    history: store.history,
    index: store.index,
    log: publishedLog({ log: store.log, now }),
    keys: intake.deps.dataKeys,
    lookup: intake.lookup,
    catalogue: stationSettings.catalogue,
    now: () => log.nowMs,
    random: randomBytes,
    guard: unguarded,
  };
  const process = new AbortController();
  const files = exportFiles(join(folder.path, "exports"), randomBytes);
  const exports = openExports({ query, state: store.state, files, limits, log: silentLog }, process.signal);
  const server = await serve(query, noOperations, {}, { exports });
  const client = connect(server.address);
  let next = 0;

  /** A pass knows the keys of the log as it begins: who signs changes with one that comes after the entry. */
  async function untilSignedBy(keys: number, apartMs: number): Promise<void> {
    for (let tries = 0; tries < 5; tries++) {
      log.nowMs += apartMs;
      await log.drain();
      if (parseNote(note())?.signatures.length === keys) return;
    }
    throw new Error(`the log is not signed by ${keys} keys`);
  }

  const note = (): string => log.notes.at(-1) ?? "";
  return {
    address: server.address,
    log,
    note,
    async publish(events) {
      const values = Array.from({ length: events }, (_, at) =>
        auditEvent({ id: `a-${(next + at) % 3}`, eventId: `e-${next + at}` }),
      );
      const end = await ingestBatch(intake.deps, batchOf(next, values, partition), intake.control);
      if (end.kind !== "done") throw new Error(`intake: ${end.kind}`);
      next += events;
      await log.drain();
    },
    async announceKey() {
      const file: { readonly v: number; readonly keys: readonly string[] } = JSON.parse(
        readFileSync(log.keyFile, "utf8"),
      );
      const keys = [...file.keys, randomBytes(32).toString("base64url")];
      writeFileSync(log.keyFile, JSON.stringify({ ...file, keys }));
      await untilSignedBy(2, 0);
    },
    async retireKey() {
      await untilSignedBy(1, log.deps.limits.keyOverlapMs);
    },
    async serveCopy() {
      await using undo = new AsyncDisposableStack();
      const place = undo.use(temporaryFolder());
      for (const file of ["lastro.db", "lastro.db-wal"])
        copyFileSync(join(folder.path, file), join(place.path, file));
      const copy = undo.use(await openSqliteStore({ path: join(place.path, "lastro.db") }));
      const { history, index } = copy;
      const log = publishedLog({ log: copy.log, now });
      const served = undo.use(await serve({ ...query, history, index, log }));
      const resources = undo.move();
      return { address: served.address, [Symbol.asyncDispose]: () => resources.disposeAsync() };
    },
    cosign: async () => (await cosign(store)).vkey,
    async exported(treeSize) {
      const { name } = await call(client, ExportService, "exportRecords", {
        format: ExportFormat.EVIDENCE,
        ...(treeSize !== undefined && { treeSize: BigInt(treeSize) }),
      });
      const { result } = await call(client, Operations, "waitOperation", { name });
      if (result.case !== "response") throw new Error(`no export: ${JSON.stringify(result.value)}`);
      const parts: Uint8Array[] = [];
      for await (const { data } of callStream(client, ExportService, "readExport", { name }))
        parts.push(data);
      return Buffer.concat(parts).toString();
    },
    async [Symbol.asyncDispose]() {
      process.abort(new Error("the process ends"));
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
