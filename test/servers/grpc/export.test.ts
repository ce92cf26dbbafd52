import { hash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type Client, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { exportFiles } from "../../../src/adapters/files/export-files.ts";
import { anyone } from "../../../src/core/caller.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { exportedFields } from "../../../src/core/exported-record.ts";
import type { RecordRow } from "../../../src/core/record.ts";
import { type Operation, Operations } from "../../../src/gen/google/longrunning/operations_pb.ts";
import {
  ExportFormat,
  ExportMetadataSchema,
  type ExportResult,
  ExportResultSchema,
  ExportService,
  ExportState,
} from "../../../src/gen/lastro/v1/export_pb.ts";
import type { ExportFiles } from "../../../src/ports/export-files.ts";
import { type ExportLimits, type Exports, openExports } from "../../../src/query/exports.ts";
import { noTrust, parseEvidence, verifyBundle } from "../../../src/sdk/verify.ts";
import { seededRandom } from "../../bench/events.ts";
import { type BuiltLog, buildLog } from "../../support/built-log.ts";
import {
  call,
  callStream,
  connect,
  failureOf,
  noOperations,
  serve,
  type TestServer,
} from "../../support/grpc-client.ts";
import {
  type EventSpec,
  type HistoryWorld,
  openHistoryWorld,
  worldSrc,
} from "../../support/history-world.ts";
import { runLastro } from "../../support/run-cli.ts";
import { temporaryFolder } from "../../support/sqlite.ts";
import { until } from "../../support/until.ts";

const limits: ExportLimits = { runningMax: 2, keptMax: 6, bytesMax: 64 * 1024 * 1024, keptMs: 3_600_000 };

let place: ReturnType<typeof temporaryFolder>;
let world: HistoryWorld;
let built: BuiltLog;
let server: TestServer;
let client: Client & Disposable;
let process1: AbortController;
let offset: number;

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const files = (): ExportFiles => exportFiles(place.path);
/** A process of the service: its exports end with it. */
function open(over: { readonly files?: ExportFiles; readonly limits?: Partial<ExportLimits> } = {}): Exports {
  process1 = new AbortController();
  return openExports(
    {
      query: world.deps,
      state: world.store.state,
      files: over.files ?? files(),
      limits: { ...limits, ...over.limits },
      log: silent,
    },
    process1.signal,
  );
}
async function start(over: Parameters<typeof open>[0] = {}): Promise<void> {
  server = await serve(world.deps, noOperations, {}, { exports: open(over) });
  client = connect(server.address);
}
async function stop(): Promise<void> {
  process1.abort(new Error("the process ends"));
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
}
beforeEach(async () => {
  offset = 0;
  place = temporaryFolder();
  world = await openHistoryWorld();
  built = buildLog(world.store.log);
  await built.genesis();
  await start();
});
afterEach(async () => {
  await stop();
  await world[Symbol.asyncDispose]();
  place[Symbol.dispose]();
});

async function log(...events: readonly EventSpec[]): Promise<readonly RecordRow[]> {
  const rows = await world.publish(...events);
  await built.records(worldSrc, offset, rows);
  offset += rows.length;
  await built.publish();
  return rows;
}
const event = (n: number, more: EventSpec = {}): EventSpec => ({
  payload: { public_id: `a-${n % 7}`, n },
  ...more,
});
const events = (count: number, from = 0): readonly EventSpec[] =>
  Array.from({ length: count }, (_, n) => event(from + n));

const begin = (format: ExportFormat, filter = "", treeSize?: bigint) =>
  call(client, ExportService, "exportRecords", {
    format,
    filter,
    ...(treeSize !== undefined && { treeSize }),
  });
const get = (name: string) => call(client, Operations, "getOperation", { name });
const metadataOf = ({ metadata }: Operation) => {
  const told = metadata && anyUnpack(metadata, ExportMetadataSchema);
  if (told === undefined) throw new Error("no metadata");
  return told;
};
async function ended({ name }: Operation): Promise<Operation> {
  for (;;) {
    const operation = await call(client, Operations, "waitOperation", { name });
    if (operation.done) return operation;
  }
}
async function resultOf(begun: Operation): Promise<ExportResult> {
  const { result } = await ended(begun);
  const told = result.case === "response" ? anyUnpack(result.value, ExportResultSchema) : undefined;
  if (told === undefined)
    throw new Error(`no result: ${JSON.stringify(result.case === "error" && result.value.message)}`);
  return told;
}
async function read(name: string, from = 0n): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let next = from;
  for await (const { data, nextOffset } of callStream(client, ExportService, "readExport", {
    name,
    offset: from,
  })) {
    chunks.push(data);
    next += BigInt(data.length);
    expect(nextOffset).toBe(next);
  }
  return Buffer.concat(chunks);
}
async function exported(format: ExportFormat, filter = "", treeSize?: bigint): Promise<string> {
  const begun = await begin(format, filter, treeSize);
  await resultOf(begun);
  return (await read(begun.name)).toString();
}
const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

describe("an export", () => {
  test("R-64 tells every record of its tree that matches, in the order of the log, in parts whose SHA-256 it names", async () => {
    const rows = await log(...events(400));
    await log(event(400, { traceId: "other" }));
    const begun = await begin(ExportFormat.NDJSON, "-trace_id = other");
    const result = await resultOf(begun);
    const text = (await read(result.name)).toString();
    const records = linesOf(text).map((line) => JSON.parse(line));
    expect(records.map(({ rid }) => rid)).toEqual(rows.map(({ rid }) => rid));
    expect(records.map(({ log_index }) => log_index)).toEqual(rows.map((_, n) => n + 1));
    expect(records[5].event.payload).toEqual({ public_id: "a-5", n: 5 });
    expect(result.parts.map(({ sha256 }) => Buffer.from(sha256).toString("hex"))).toEqual([
      hash("sha256", text),
    ]);
    expect(metadataOf(await get(begun.name))).toMatchObject({
      state: ExportState.DONE,
      treeSize: BigInt(built.size()),
      nextIndex: BigInt(built.size()),
      recordsSeen: 401n,
      recordsWritten: 400n,
      bytesWritten: BigInt(text.length),
    });
  });

  test("R-85 is the same to the byte when it is made again of the same tree, whatever was appended since", async () => {
    await log(...events(50));
    const size = BigInt(built.size());
    const before = await exported(ExportFormat.NDJSON);
    await log(...events(20, 50));
    expect(await exported(ExportFormat.NDJSON, "", size)).toBe(before);
    expect(await exported(ExportFormat.NDJSON)).not.toBe(before);
  });

  test("is read from any offset on", async () => {
    await log(...events(300));
    const begun = await begin(ExportFormat.CSV);
    await resultOf(begun);
    const whole = await read(begun.name);
    for (const at of [0, 1, 1_000, whole.length - 1, whole.length])
      expect((await read(begun.name, BigInt(at))).equals(whole.subarray(at))).toBe(true);
    const beyond = callStream(client, ExportService, "readExport", {
      name: begun.name,
      offset: BigInt(whole.length + 1),
    });
    expect(await failureOf(new Promise((_, reject) => beyond.on("error", reject)))).toMatchObject({
      fields: ["offset"],
    });
  });

  test("keeps numbers and odd texts of an event as the producer wrote them", async () => {
    const [row] = await log(event(1));
    const text = `{"producer_service":"team_service","producer_service_id":"x","trace_id":"t","timestamp":"2024-06-22T12:00:00Z",\n"event_type":"account.created","payload":{"public_id":"=cmd","big":9007199254740993,"s":"\\u0000 \u2028 ,\\"\\n"},"metadata":{"event_id":"odd","owner_id":"+1","owner_ip":"10.0.0.1","owner_role":"-x","owner_type":"user","event_schema_version":"1.0.0","ownership_id":"@o","environment":"t","correlation_id":"c"}}`;
    await log({ text });
    const [, line = ""] = linesOf(await exported(ExportFormat.NDJSON));
    expect(line).toContain(text.replace("\n", " ").slice(0, -1));
    const csv = await exported(ExportFormat.CSV);
    expect(csv).toContain("'=cmd");
    expect(csv).toContain("'+1");
    expect(csv.split("\r\n")[0]).toBe(exportedFields.join(","));
    expect(row).toBeDefined();
  });

  test("of nothing is empty, and a whole document in JSON", async () => {
    await log(...events(3));
    const none = "trace_id = nobody";
    expect(JSON.parse(await exported(ExportFormat.JSON, none))).toEqual([]);
    expect(await exported(ExportFormat.NDJSON, none)).toBe("");
    expect(JSON.parse(await exported(ExportFormat.JSON))).toHaveLength(3);
  });

  test("names what the log has and it cannot tell", async () => {
    const rows = await log(...events(3));
    const doctored = world.tampered((row) =>
      row.rid === rows[1]?.rid ? { ...row, projection: { ...row.projection, traceId: "planted" } } : row,
    );
    await stop();
    process1 = new AbortController();
    const exports = openExports(
      { query: doctored, state: world.store.state, files: files(), limits, log: silent },
      process1.signal,
    );
    server = await serve(doctored, noOperations, {}, { exports });
    client = connect(server.address);
    const result = await resultOf(await begin(ExportFormat.NDJSON, "trace_id = planted"));
    expect([result.records, result.alteredRids]).toEqual([0n, [rows[1]?.rid]]);
  });
});

describe("an export goes on", () => {
  test("behind its last part after its process died, and gives the same bytes", async () => {
    const large = "x".repeat(250_000);
    await log(...Array.from({ length: 80 }, (_, n) => event(n, { payload: { public_id: "a", n, large } })));
    const whole = await exported(ExportFormat.JSON);
    await stop();
    // The second process dies while its second part is written.
    let parts = 0;
    const dying: ExportFiles = {
      ...files(),
      async put(...args) {
        parts += 1;
        if (parts === 2) {
          process1.abort(new Error("the process dies"));
          throw new LastroError("STORE_UNAVAILABLE", "it is gone");
        }
        return files().put(...args);
      },
    };
    await start({ files: dying });
    const begun = await begin(ExportFormat.JSON);
    await until("the process died", () => process1.signal.aborted);
    const left = metadataOf(await get(begun.name));
    expect([left.state, Number(left.recordsWritten) > 0, left.nextIndex < left.treeSize]).toEqual([
      ExportState.RUNNING,
      true,
      true,
    ]);
    await stop();
    await start();
    const result = await resultOf(begun);
    expect(result.parts.length).toBeGreaterThan(1);
    expect((await read(begun.name)).toString() === whole).toBe(true);
  });

  test("by itself once what was away is back", async () => {
    await log(...events(3));
    await stop();
    let fails = 1;
    const away: ExportFiles = {
      ...files(),
      put: async (...args) => {
        if (fails-- > 0) throw new LastroError("STORE_UNAVAILABLE", "the disk is away");
        return files().put(...args);
      },
    };
    await start({ files: away });
    expect((await resultOf(await begin(ExportFormat.NDJSON))).records).toBe(3n);
  });
});

describe("exports are bounded and private", () => {
  test("their files are the service user's alone, changed ones are not given, and a cancelled one leaves none", async () => {
    await log(...events(5));
    const begun = await begin(ExportFormat.NDJSON);
    await resultOf(begun);
    const at = join(place.path, begun.name.replace("operations/", ""));
    await until("its manifest is there", () => existsSync(join(at, "manifest.json")));
    expect(statSync(at).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(at))
      expect([name, statSync(join(at, name)).mode & 0o777]).toEqual([name, 0o600]);
    const manifest = JSON.parse(readFileSync(join(at, "manifest.json"), "utf8"));
    const [part] = manifest.parts;
    expect(hash("sha256", readFileSync(join(at, part.name)))).toBe(part.sha256);
    writeFileSync(join(at, part.name), readFileSync(join(at, part.name), "utf8").replace('"n":1', '"n":2'));
    const stream = callStream(client, ExportService, "readExport", { name: begun.name });
    stream.resume();
    expect(await failureOf(new Promise((_, reject) => stream.on("error", reject)))).toMatchObject({
      code: status.DATA_LOSS,
    });
    await call(client, Operations, "deleteOperation", { name: begun.name });
    expect(readdirSync(place.path)).toEqual([]);
    expect(await failureOf(get(begun.name))).toMatchObject({ code: status.NOT_FOUND });
  });

  test("one is cancelled while it runs, and says so", async () => {
    await log(...events(5));
    await stop();
    const held = Promise.withResolvers<void>();
    await start({ files: { ...files(), put: async () => held.promise } });
    const begun = await begin(ExportFormat.NDJSON);
    await call(client, Operations, "cancelOperation", { name: begun.name });
    held.resolve();
    const { result, metadata } = await ended(begun);
    expect(result).toMatchObject({ case: "error", value: { code: status.CANCELLED } });
    expect(metadata).toBeDefined();
    await until("its folder is gone", () => readdirSync(place.path).length === 0);
  });

  test("so many run at once and so many are kept; one that grows too large fails and leaves nothing", async () => {
    await log(...events(5));
    await stop();
    const held = Promise.withResolvers<void>();
    await start({
      files: { ...files(), put: async (...args) => held.promise.then(() => files().put(...args)) },
    });
    const running = [await begin(ExportFormat.NDJSON), await begin(ExportFormat.NDJSON)];
    expect(await failureOf(begin(ExportFormat.NDJSON))).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "LIMIT_REACHED",
    });
    held.resolve();
    for (const one of running) await ended(one);
    for (let n = running.length; n < limits.keptMax; n++) await ended(await begin(ExportFormat.NDJSON));
    expect(await failureOf(begin(ExportFormat.NDJSON))).toMatchObject({ reason: "LIMIT_REACHED" });
    const listed = await call(client, Operations, "listOperations", { pageSize: 4 });
    const rest = await call(client, Operations, "listOperations", {
      pageSize: 4,
      pageToken: listed.nextPageToken,
    });
    expect([listed.operations.length, rest.operations.length, rest.nextPageToken]).toEqual([4, 2, ""]);
    for (const { name } of [...listed.operations, ...rest.operations])
      await call(client, Operations, "deleteOperation", { name });
    await stop();
    await start({ limits: { bytesMax: 100 } });
    const { result } = await ended(await begin(ExportFormat.NDJSON));
    expect(result).toMatchObject({ case: "error", value: { code: status.RESOURCE_EXHAUSTED } });
    await until("its folder is gone", () => readdirSync(place.path).length === 0);
  });

  test("one that has expired is gone, with its files", async () => {
    await log(...events(2));
    await stop();
    await start({ limits: { keptMs: 500 } });
    const begun = await begin(ExportFormat.NDJSON);
    await ended(begun);
    // The world's clock moves with what is published.
    await log(event(3));
    expect(await failureOf(get(begun.name))).toMatchObject({ code: status.NOT_FOUND });
    await stop();
    await start();
    await until("its folder is gone", () => readdirSync(place.path).length === 0);
  });

  test("another caller's export is not there", async () => {
    await log(...events(2));
    const begun = await begin(ExportFormat.NDJSON);
    await ended(begun);
    const name = begun.name.replace("operations/", "");
    const first = process1;
    const exports = open();
    process1.signal.addEventListener("abort", () => first.abort(new Error("the process ends")));
    const signal = new AbortController().signal;
    const bob = { ...anyone, id: "bob" };
    await expect(exports.get(name, bob, signal)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(exports.list(bob, signal)).resolves.toEqual([]);
    await expect(exports.read(name, 0, bob, signal).next()).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  test("what cannot be exported is refused with its field", async () => {
    await log(...events(2));
    const failures = [
      [begin(ExportFormat.UNSPECIFIED), "format"],
      [begin(ExportFormat.NDJSON, "active = true"), "filter"],
      [begin(ExportFormat.NDJSON, "", 0n), "tree_size"],
    ] as const;
    for (const [failure, field] of failures)
      expect(await failureOf(failure)).toMatchObject({ code: status.INVALID_ARGUMENT, fields: [field] });
    expect(await failureOf(begin(ExportFormat.NDJSON, "", 999n))).toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    for (const name of ["operations/export-../../etc", "export-1", ""])
      expect(await failureOf(get(name))).toMatchObject({ code: status.NOT_FOUND });
  });
});

describe("evidence", () => {
  const bundle = async (): Promise<{ readonly text: string; readonly rows: readonly RecordRow[] }> => {
    const rows = await log(...events(30));
    return { text: await exported(ExportFormat.EVIDENCE), rows };
  };

  test("is taken by lastro verify, offline", async () => {
    const { text, rows } = await bundle();
    const path = join(place.path, "evidence.json");
    writeFileSync(path, text);
    const { code, out } = await runLastro("verify", "record", rows[7]?.rid ?? "", "--bundle", path, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ verdict: "intact", checked: { records: 30, bodies: 30 } });
  });

  test("one byte that is changed anywhere is found, unless it changes nothing that is claimed", async () => {
    const { text, rows } = await bundle();
    const verified = (given: string) => {
      const parsed = parseEvidence(given);
      if (!parsed.ok) return { verdict: "unreadable", claims: "" };
      const scope = { kind: "record", rid: rows[7]?.rid ?? ("" as never) } as const;
      const { verdict, checked } = verifyBundle(scope, parsed.evidence, noTrust);
      return { verdict, claims: JSON.stringify([checked, parsed.evidence]) };
    };
    const good = verified(text);
    expect(good.verdict).toBe("intact");
    const seed = Date.now() % 100_000;
    console.info(`seed ${seed}`);
    const random = seededRandom(seed);
    const bytes = Buffer.from(text);
    for (let round = 0; round < 400; round++) {
      const at = Math.floor(random() * bytes.length);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 7));
      const { verdict, claims } = verified(changed.toString());
      // A member's name that is no longer known takes the body away: fewer bodies were checked, which the verdict tells.
      const isFound =
        verdict !== "intact" ||
        (claims !== good.claims && !claims.startsWith('[{"records":30,"coverages":0,"bodies":30'));
      expect([seed, at, isFound || claims === good.claims]).toEqual([seed, at, true]);
    }
  }, 60_000);

  test("is refused for a tree whose checkpoint is no longer the latest", async () => {
    await log(...events(3));
    const size = BigInt(built.size());
    await log(event(4));
    expect(await failureOf(begin(ExportFormat.EVIDENCE, "", size))).toMatchObject({ fields: ["tree_size"] });
  });
});
