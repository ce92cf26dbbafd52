import { hash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseCatalogue } from "../../../src/core/catalogue.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { exportedFields } from "../../../src/core/exported-record.ts";
import { ExportFormat, ExportService, ExportState } from "../../../src/gen/lastro/v1/export_pb.ts";
import type { ExportFiles } from "../../../src/ports/export-files.ts";
import {
  type ExportWorld,
  event,
  events,
  linesOf,
  metadataOf,
  openExportWorld,
} from "../../support/export-world.ts";
import { callStream, failureOf } from "../../support/grpc-client.ts";
import { ridsOf } from "../../support/logged-world.ts";
import { until } from "../../support/until.ts";

const signal = new AbortController().signal;
let x: ExportWorld;
beforeEach(async () => {
  x = await openExportWorld();
});
afterEach(async () => x[Symbol.asyncDispose]());

describe("an export", () => {
  test("R-64 tells every record of its tree that matches, in the order of the log, in parts whose SHA-256 it names", async () => {
    const rows = await x.log(...events(400));
    await x.log(event(400, { traceId: "other" }));
    const begun = await x.begin(ExportFormat.NDJSON, "-trace_id = other");
    const result = await x.resultOf(begun);
    const text = (await x.read(result.name)).toString();
    const records = linesOf(text).map((line) => JSON.parse(line));
    expect(records.map(({ rid }) => rid)).toEqual(rows.map(({ rid }) => rid));
    expect(records.map(({ log_index }) => log_index)).toEqual(rows.map((_, n) => n + 1));
    expect(records[5].event.payload).toEqual({ public_id: "a-5", n: 5 });
    expect(result.parts.map(({ sha256 }) => Buffer.from(sha256).toString("hex"))).toEqual([
      hash("sha256", text),
    ]);
    expect(metadataOf(await x.get(begun.name))).toMatchObject({
      state: ExportState.DONE,
      treeSize: BigInt(x.built.size()),
      nextIndex: BigInt(x.built.size()),
      recordsSeen: 401n,
      recordsWritten: 400n,
      bytesWritten: BigInt(text.length),
    });
  });

  test("R-23 tells what has the words that are asked for", async () => {
    await x.log(...events(70));
    const wanted = await x.log(event(70, { payload: { id: 1, title: "Fatura vencida" } }));
    const lines = linesOf(await x.exported(ExportFormat.NDJSON, "text:fatura"));
    expect(lines.map((line) => JSON.parse(line).rid)).toEqual(ridsOf(wanted));
    expect(linesOf(await x.exported(ExportFormat.NDJSON, "-text:fatura"))).toHaveLength(70);
  });

  test("R-64 tells how acts ended as the search tells it, so that no SIEM takes a failure for a success", async () => {
    const failed = await x.log(
      event(0, { type: "user.login", metadata: { status: "FAILURE" } }),
      event(1, { type: "access.access_denied" }),
      event(2, { type: "payment.charge_failed" }),
      event(3, { type: "user.login-failed" }),
    );
    await x.log(event(4, { type: "user.login" }), event(5, { type: "report.requested" }));
    const outcomes = linesOf(await x.exported(ExportFormat.ECS)).map((line) => {
      const { event, lastro } = JSON.parse(line);
      return [lastro.status, event.outcome];
    });
    const failures = failed.map(() => ["FAILURE", "failure"]);
    expect(outcomes).toEqual([...failures, ["SUCCESS", "success"], ["PENDING", "unknown"]]);
    const found = linesOf(await x.exported(ExportFormat.NDJSON, "status = FAILURE"));
    expect(found.map((line) => JSON.parse(line).rid)).toEqual(ridsOf(failed));
  });

  test("R-85 is the same to the byte when it is made again of the same tree, whatever was appended since", async () => {
    await x.log(...events(50));
    const size = BigInt(x.built.size());
    const before = await x.exported(ExportFormat.NDJSON);
    await x.log(...events(20, 50));
    expect(await x.exported(ExportFormat.NDJSON, "", size)).toBe(before);
    expect(await x.exported(ExportFormat.NDJSON)).not.toBe(before);
  });

  test("is read from any offset on", async () => {
    await x.log(...events(300));
    const begun = await x.begin(ExportFormat.CSV);
    await x.resultOf(begun);
    const whole = await x.read(begun.name);
    for (const at of [0, 1, 1_000, whole.length - 1, whole.length])
      expect((await x.read(begun.name, BigInt(at))).equals(whole.subarray(at))).toBe(true);
    const beyond = callStream(x.client(), ExportService, "readExport", {
      name: begun.name,
      offset: BigInt(whole.length + 1),
    });
    expect(await failureOf(new Promise((_, reject) => beyond.on("error", reject)))).toMatchObject({
      fields: ["offset"],
    });
  });

  test("keeps numbers and odd texts of an event as the producer wrote them", async () => {
    const [row] = await x.log(event(1));
    const text = `{"producer_service":"team_service","producer_service_id":"x","trace_id":"t","timestamp":"2024-06-22T12:00:00Z",\n"event_type":"account.created","payload":{"public_id":"=cmd","big":9007199254740993,"s":"\\u0000 \u2028 ,\\"\\n"},"metadata":{"event_id":"odd","owner_id":"+1","owner_ip":"10.0.0.1","owner_role":"-x","owner_type":"user","event_schema_version":"1.0.0","ownership_id":"@o","environment":"t","correlation_id":"c"}}`;
    await x.log({ text });
    const [, line = ""] = linesOf(await x.exported(ExportFormat.NDJSON));
    expect(line).toContain(text.replace("\n", " ").slice(0, -1));
    const csv = await x.exported(ExportFormat.CSV);
    expect(csv).toContain("'=cmd");
    expect(csv).toContain("'+1");
    expect(csv.split("\r\n")[0]).toBe(exportedFields.join(","));
    expect(row).toBeDefined();
  });

  test("of nothing is empty, and a whole document in JSON", async () => {
    await x.log(...events(3));
    const none = "trace_id = nobody";
    expect(JSON.parse(await x.exported(ExportFormat.JSON, none))).toEqual([]);
    expect(await x.exported(ExportFormat.NDJSON, none)).toBe("");
    expect(JSON.parse(await x.exported(ExportFormat.JSON))).toHaveLength(3);
  });

  test("names what the log has and it cannot tell", async () => {
    const rows = await x.log(...events(3));
    const doctored = x.tampered((row) =>
      row.rid === rows[1]?.rid ? { ...row, projection: { ...row.projection, traceId: "planted" } } : row,
    );
    await x.stop();
    await x.start({ query: doctored });
    const result = await x.resultOf(await x.begin(ExportFormat.NDJSON, "trace_id = planted"));
    expect([result.records, result.alteredRids]).toEqual([0n, [rows[1]?.rid]]);
  });
});

describe("an export goes on", () => {
  test("behind its last part after its process died, and gives the same bytes", async () => {
    const large = "x".repeat(250_000);
    await x.log(...Array.from({ length: 80 }, (_, n) => event(n, { payload: { public_id: "a", n, large } })));
    const whole = await x.exported(ExportFormat.JSON);
    await x.stop();
    // The second process dies while its second part is written.
    let parts = 0;
    const dying: ExportFiles = {
      ...x.files(),
      async put(...args) {
        parts += 1;
        if (parts === 2) {
          x.process().abort(new Error("the process dies"));
          throw new LastroError("STORE_UNAVAILABLE", "it is gone");
        }
        return x.files().put(...args);
      },
    };
    await x.start({ files: dying });
    const begun = await x.begin(ExportFormat.JSON);
    await until("the process died", () => x.process().signal.aborted);
    const left = metadataOf(await x.get(begun.name));
    expect([left.state, Number(left.recordsWritten) > 0, left.nextIndex < left.treeSize]).toEqual([
      ExportState.RUNNING,
      true,
      true,
    ]);
    await x.stop();
    await x.start();
    const result = await x.resultOf(begun);
    expect(result.parts.length).toBeGreaterThan(1);
    expect((await x.read(begun.name)).toString() === whole).toBe(true);
  });

  test("by the words that it began with, or not at all", async () => {
    await x.log(...events(5));
    await x.stop();
    const died = Promise.withResolvers<void>();
    await x.start({
      files: {
        ...x.files(),
        async put() {
          x.process().abort(new Error("the process dies"));
          died.resolve();
          throw new LastroError("STORE_UNAVAILABLE", "it is gone");
        },
      },
    });
    const begun = await x.begin(ExportFormat.NDJSON, "text:*");
    await died.promise;
    await x.stop();
    const parsed = parseCatalogue(
      JSON.stringify({ version: 1, events: { "account.updated": { search: ["/payload/name"] } } }),
    );
    if (!parsed.ok) throw new Error("no catalogue");
    await x.start({ query: { ...x.deps, catalogue: parsed.catalogue } });
    const { result } = await x.ended(begun);
    expect(result).toMatchObject({ case: "error", value: { code: status.FAILED_PRECONDITION } });
    expect(result.case === "error" && result.value.message).toContain("search");
  });

  test("in the way of writing records that it began with, or not at all", async () => {
    const large = "x".repeat(250_000);
    await x.log(...Array.from({ length: 40 }, (_, n) => event(n, { payload: { public_id: "a", n, large } })));
    await x.stop();
    await x.start({
      files: {
        ...x.files(),
        async put(...args) {
          if (args[1].startsWith("part-00002")) x.process().abort(new Error("the process dies"));
          x.process().signal.throwIfAborted();
          return x.files().put(...args);
        },
      },
    });
    const begun = await x.begin(ExportFormat.CSV);
    await until("the process died", () => x.process().signal.aborted);
    await x.stop();
    const { state } = x.store;
    const [kept] = await state.jobs(signal);
    if (kept === undefined) throw new Error("no export is kept");
    const { formatsVersion: _, ...older } = JSON.parse(kept.text);
    expect(older.parts).toHaveLength(1);
    await state.putJob(kept.name, JSON.stringify(older), kept.revision, signal);
    await x.start();
    const { result } = await x.ended(begun);
    expect(result).toMatchObject({ case: "error", value: { code: status.FAILED_PRECONDITION } });
    expect(result.case === "error" && result.value.message).toContain("export again");
  });

  test("by itself once what was away is back", async () => {
    await x.log(...events(3));
    await x.stop();
    let fails = 1;
    const away: ExportFiles = {
      ...x.files(),
      put: async (...args) => {
        if (fails-- > 0) throw new LastroError("STORE_UNAVAILABLE", "the disk is away");
        return x.files().put(...args);
      },
    };
    await x.start({ files: away });
    expect((await x.resultOf(await x.begin(ExportFormat.NDJSON))).records).toBe(3n);
  });
});
