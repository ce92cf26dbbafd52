/** Exports of the running service, on either store: begun by one process, read from the one that follows it. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Operations } from "../../src/gen/google/longrunning/operations_pb.ts";
import { ExportFormat, ExportService } from "../../src/gen/lastro/v1/export_pb.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { LogState } from "../../src/gen/lastro/v1/record_pb.ts";
import { callStream, connect } from "../support/grpc-client.ts";
import { message, type Service, startService, startTimeoutMs } from "./service.ts";

const events = 40;

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(kind);
  }, startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  async function read(name: string): Promise<string> {
    using client = connect(service.lastro().grpcAddress);
    const chunks: Uint8Array[] = [];
    for await (const { data } of callStream(client, ExportService, "readExport", { name })) chunks.push(data);
    return Buffer.concat(chunks).toString();
  }

  test(
    "R-64 every record that was published is in an export, and in the one of a process that came later",
    async () => {
      await service.send(
        Array.from({ length: events }, (_, n) =>
          message({ payload: { public_id: `a-${n % 5}`, n }, metadata: { event_id: `x-${n}` } }),
        ),
      );
      const { records } = await service.ask(HistoryService, "searchRecords", { pageSize: 1_000 });
      for (const { rid } of records)
        await service.ask(HistoryService, "getRecord", {
          by: { case: "rid", value: rid },
          waitFor: LogState.LOGGED,
        });
      const { name } = await service.ask(ExportService, "exportRecords", { format: ExportFormat.NDJSON });
      expect((await service.ask(Operations, "waitOperation", { name })).done).toBe(true);
      const text = await read(name);
      const told = text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(told.map(({ event }) => event.payload.n).toSorted((a, b) => a - b)).toEqual([
        ...Array(events).keys(),
      ]);
      expect(told.map(({ rid }) => rid).sort()).toEqual(records.map(({ rid }) => rid).sort());
      await service.restart();
      expect(await read(name)).toBe(text);
      const { operations } = await service.ask(Operations, "listOperations", {});
      expect(operations.map((operation) => operation.name)).toEqual([name]);
    },
    startTimeoutMs,
  );
});
