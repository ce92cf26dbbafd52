import { hash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { anyone } from "../../../src/core/caller.ts";
import { Operations } from "../../../src/gen/google/longrunning/operations_pb.ts";
import { ExportFormat, ExportService } from "../../../src/gen/lastro/v1/export_pb.ts";
import { type ExportWorld, event, events, limits, openExportWorld } from "../../support/export-world.ts";
import { call, callStream, failureOf } from "../../support/grpc-client.ts";
import { until } from "../../support/until.ts";

let x: ExportWorld;
beforeEach(async () => {
  x = await openExportWorld();
});
afterEach(async () => x[Symbol.asyncDispose]());

describe("exports are bounded and private", () => {
  test("their files are the service user's alone, changed ones are not given, and a cancelled one leaves none", async () => {
    await x.log(...events(5));
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.resultOf(begun);
    const at = join(x.path, begun.name.replace("operations/", ""));
    await until("its manifest is there", () => existsSync(join(at, "manifest.json")));
    expect(statSync(at).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(at))
      expect([name, statSync(join(at, name)).mode & 0o777]).toEqual([name, 0o600]);
    const manifest = JSON.parse(readFileSync(join(at, "manifest.json"), "utf8"));
    const [part] = manifest.parts;
    expect(hash("sha256", readFileSync(join(at, part.name)))).toBe(part.sha256);
    writeFileSync(join(at, part.name), readFileSync(join(at, part.name), "utf8").replace('"n":1', '"n":2'));
    const stream = callStream(x.client(), ExportService, "readExport", { name: begun.name });
    stream.resume();
    expect(await failureOf(new Promise((_, reject) => stream.on("error", reject)))).toMatchObject({
      code: status.DATA_LOSS,
    });
    await call(x.client(), Operations, "deleteOperation", { name: begun.name });
    expect(readdirSync(x.path)).toEqual([]);
    expect(await failureOf(x.get(begun.name))).toMatchObject({ code: status.NOT_FOUND });
  });

  test("one is cancelled while it runs, and says so", async () => {
    await x.log(...events(5));
    await x.stop();
    const held = Promise.withResolvers<void>();
    await x.start({ files: { ...x.files(), put: async () => held.promise } });
    const begun = await x.begin(ExportFormat.NDJSON);
    await call(x.client(), Operations, "cancelOperation", { name: begun.name });
    held.resolve();
    const { result, metadata } = await x.ended(begun);
    expect(result).toMatchObject({ case: "error", value: { code: status.CANCELLED } });
    expect(metadata).toBeDefined();
    await until("its folder is gone", () => readdirSync(x.path).length === 0);
  });

  test("so many run at once and so many are kept; one that grows too large fails and leaves nothing", async () => {
    await x.log(...events(5));
    await x.stop();
    const held = Promise.withResolvers<void>();
    await x.start({
      files: { ...x.files(), put: async (...args) => held.promise.then(() => x.files().put(...args)) },
    });
    const running = [await x.begin(ExportFormat.NDJSON), await x.begin(ExportFormat.NDJSON)];
    expect(await failureOf(x.begin(ExportFormat.NDJSON))).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "LIMIT_REACHED",
    });
    held.resolve();
    for (const one of running) await x.ended(one);
    for (let n = running.length; n < limits.keptMax; n++) await x.ended(await x.begin(ExportFormat.NDJSON));
    expect(await failureOf(x.begin(ExportFormat.NDJSON))).toMatchObject({ reason: "LIMIT_REACHED" });
    const listed = await call(x.client(), Operations, "listOperations", { pageSize: 4 });
    const rest = await call(x.client(), Operations, "listOperations", {
      pageSize: 4,
      pageToken: listed.nextPageToken,
    });
    expect([listed.operations.length, rest.operations.length, rest.nextPageToken]).toEqual([4, 2, ""]);
    for (const { name } of [...listed.operations, ...rest.operations])
      await call(x.client(), Operations, "deleteOperation", { name });
    await x.stop();
    await x.start({ limits: { bytesMax: 100 } });
    const { result } = await x.ended(await x.begin(ExportFormat.NDJSON));
    expect(result).toMatchObject({ case: "error", value: { code: status.RESOURCE_EXHAUSTED } });
    await until("its folder is gone", () => readdirSync(x.path).length === 0);
  });

  test("evidence ends at the size that its verifier reads, whatever the others may have", async () => {
    await x.log(...events(5));
    await x.stop();
    await x.start({ limits: { evidenceBytesMax: 2_000 } });
    const { result } = await x.ended(await x.begin(ExportFormat.EVIDENCE));
    expect(result).toMatchObject({
      case: "error",
      value: { code: status.RESOURCE_EXHAUSTED, message: expect.stringContaining("larger than 2000 bytes") },
    });
    const text = await x.exported(ExportFormat.NDJSON);
    expect(text.length).toBeGreaterThan(2_000);
  });

  test.each([
    ["run", { runningMax: 2, keptMax: 6 }],
    ["are kept", { runningMax: 5, keptMax: 2 }],
  ])("of five that are begun together, as many %s as may", async (_, bounds) => {
    await x.log(...events(2));
    await x.stop();
    const held = Promise.withResolvers<void>();
    const files = { ...x.files(), put: async () => held.promise };
    const exports = await x.start({ files, limits: bounds });
    const request = { filter: "", format: "ndjson", treeSize: undefined } as const;
    const { signal } = new AbortController();
    // Those that are refused for what they ask hold no room.
    for (let n = 0; n < 5; n++)
      await expect(exports.start({ ...request, filter: "(" }, anyone, signal)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    const begun = await Promise.allSettled(
      Array.from({ length: 5 }, () => exports.start(request, anyone, signal)),
    );
    const refused = begun.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
    expect(refused).toEqual(["LIMIT_REACHED", "LIMIT_REACHED", "LIMIT_REACHED"]);
    expect(await exports.list(anyone, signal)).toHaveLength(2);
    held.resolve();
  });

  test("one that has expired is gone, with its files", async () => {
    await x.log(...events(2));
    await x.stop();
    await x.start({ limits: { keptMs: 500 } });
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.ended(begun);
    // The world's clock moves with what is published.
    await x.log(event(3));
    expect(await failureOf(x.get(begun.name))).toMatchObject({ code: status.NOT_FOUND });
    await x.stop();
    await x.start();
    await until("its folder is gone", () => readdirSync(x.path).length === 0);
  });

  test("another caller's export is not there", async () => {
    await x.log(...events(2));
    const begun = await x.begin(ExportFormat.NDJSON);
    await x.ended(begun);
    const name = begun.name.replace("operations/", "");
    await x.stop();
    const exports = await x.start();
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
    await x.log(...events(2));
    const failures = [
      [x.begin(ExportFormat.UNSPECIFIED), "format"],
      [x.begin(ExportFormat.NDJSON, "active = true"), "filter"],
      [x.begin(ExportFormat.NDJSON, "", 0n), "tree_size"],
    ] as const;
    for (const [failure, field] of failures)
      expect(await failureOf(failure)).toMatchObject({ code: status.INVALID_ARGUMENT, fields: [field] });
    expect(await failureOf(x.begin(ExportFormat.NDJSON, "", 999n))).toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    for (const name of ["operations/export-../../etc", "export-1", ""])
      expect(await failureOf(x.get(name))).toMatchObject({ code: status.NOT_FOUND });
  });
});
