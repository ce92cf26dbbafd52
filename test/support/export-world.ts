/** A logged world with a server of exports that can die and begin again on the same folder. */
import { randomBytes } from "node:crypto";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Client } from "@grpc/grpc-js";
import { expect } from "@jest/globals";
import { exportFiles } from "../../src/adapters/files/export-files.ts";
import { type Operation, Operations } from "../../src/gen/google/longrunning/operations_pb.ts";
import {
  type ExportFormat,
  type ExportMetadata,
  ExportMetadataSchema,
  type ExportResult,
  ExportResultSchema,
  ExportService,
} from "../../src/gen/lastro/v1/export_pb.ts";
import type { ExportFiles } from "../../src/ports/export-files.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { type ExportLimits, type Exports, openExports } from "../../src/query/exports.ts";
import type { GrpcServerOptions } from "../../src/servers/grpc/server.ts";
import { call, callStream, connect, noOperations, serve } from "./grpc-client.ts";
import type { EventSpec } from "./history-world.ts";
import { type LoggedWorld, openLoggedWorld } from "./logged-world.ts";
import { temporaryFolder } from "./sqlite.ts";

export const limits: ExportLimits = {
  runningMax: 2,
  keptMax: 6,
  bytesMax: 64 * 1024 * 1024,
  evidenceBytesMax: 64 * 1024 * 1024,
  keptMs: 3_600_000,
};
const silent = { info: () => {}, warn: () => {}, error: () => {} };

type Over = {
  readonly files?: ExportFiles;
  readonly limits?: Partial<ExportLimits>;
  readonly query?: QueryDeps;
  readonly options?: Partial<GrpcServerOptions>;
};
export type ExportWorld = LoggedWorld & {
  /** Where the files of exports lie. */
  readonly path: string;
  client(): Client;
  files(): ExportFiles;
  /** A process of the service begins; its exports end with it. */
  start(over?: Over): Promise<Exports>;
  stop(): Promise<void>;
  /** Its signal ends the process's exports. */
  process(): AbortController;
  begin(format: ExportFormat, filter?: string, treeSize?: bigint): Promise<Operation>;
  get(name: string): Promise<Operation>;
  ended(begun: Operation): Promise<Operation>;
  resultOf(begun: Operation): Promise<ExportResult>;
  read(name: string, from?: bigint): Promise<Buffer>;
  exported(format: ExportFormat, filter?: string, treeSize?: bigint): Promise<string>;
};

export const event = (n: number, more: EventSpec = {}): EventSpec => ({
  payload: { public_id: `a-${n % 7}`, n },
  ...more,
});
export const events = (count: number, from = 0): readonly EventSpec[] =>
  Array.from({ length: count }, (_, n) => event(from + n));
export const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

export function metadataOf({ metadata }: Operation): ExportMetadata {
  const told = metadata && anyUnpack(metadata, ExportMetadataSchema);
  if (told === undefined) throw new Error("no metadata");
  return told;
}

export async function openExportWorld(): Promise<ExportWorld> {
  const place = temporaryFolder();
  const world = await openLoggedWorld();
  await world.built.genesis();
  const files = (): ExportFiles => exportFiles(place.path, randomBytes);
  let process: AbortController;
  let client: Client;
  let close: () => Promise<void>;

  async function start(over: Over = {}): Promise<Exports> {
    const mine = new AbortController();
    const query = over.query ?? world.deps;
    const exports = openExports(
      {
        query,
        state: world.store.state,
        files: over.files ?? files(),
        limits: { ...limits, ...over.limits },
        log: silent,
      },
      mine.signal,
    );
    const server = await serve(query, noOperations, over.options, { exports });
    const connected = connect(server.address);
    [process, client] = [mine, connected];
    close = async () => {
      mine.abort(new Error("the process ends"));
      connected[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    };
    return exports;
  }

  const begin: ExportWorld["begin"] = (format, filter = "", treeSize) =>
    call(client, ExportService, "exportRecords", {
      format,
      filter,
      ...(treeSize !== undefined && { treeSize }),
    });
  async function ended({ name }: Operation): Promise<Operation> {
    for (;;) {
      const operation = await call(client, Operations, "waitOperation", { name });
      if (operation.done) return operation;
    }
  }
  async function resultOf(one: Operation): Promise<ExportResult> {
    const { result } = await ended(one);
    const told = result.case === "response" ? anyUnpack(result.value, ExportResultSchema) : undefined;
    if (told === undefined)
      throw new Error(`no result: ${JSON.stringify(result.case === "error" && result.value.message)}`);
    return told;
  }
  async function read(name: string, from = 0n): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let next = from;
    const stream = callStream(client, ExportService, "readExport", { name, offset: from });
    for await (const { data, nextOffset } of stream) {
      chunks.push(data);
      next += BigInt(data.length);
      expect(nextOffset).toBe(next);
    }
    return Buffer.concat(chunks);
  }

  await start();
  return {
    ...world,
    path: place.path,
    client: () => client,
    files,
    start,
    stop: () => close(),
    process: () => process,
    begin,
    get: (name) => call(client, Operations, "getOperation", { name }),
    ended,
    resultOf,
    read,
    async exported(format, filter = "", treeSize) {
      const one = await begin(format, filter, treeSize);
      await resultOf(one);
      return (await read(one.name)).toString();
    },
    async [Symbol.asyncDispose]() {
      await close();
      await world[Symbol.asyncDispose]();
      place[Symbol.dispose]();
    },
  };
}
