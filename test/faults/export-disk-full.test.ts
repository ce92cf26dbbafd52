/** The disk that exports are written to fills up: the export waits and goes on by itself, and nothing else takes notice. */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "@jest/globals";
import { Operations } from "../../src/gen/google/longrunning/operations_pb.ts";
import { ExportFormat, ExportService } from "../../src/gen/lastro/v1/export_pb.ts";
import { call, callStream, connect } from "../support/grpc-client.ts";
import { until } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { readiness } from "../support/operator.ts";
import { plainEvents, storedOnly } from "../support/published.ts";
import { fillDisk, mountSmallDisk } from "../support/small-disk.ts";
import { makeWorld, untilDrained } from "../support/world.ts";

const diskBytes = 64 * 1024 * 1024;
/** Enough for a folder, too little for an export. */
const roomBytes = 64 * 1024;
const eventsEach = 1_500;

test("an export on a full disk waits and says so in the log, intake goes on, and with room it ends whole, with the records of its tree", async () => {
  await using world = await makeWorld("sqlite");
  const folder = join(world.dataDir, "exports");
  mkdirSync(folder, { recursive: true });
  using _disk = mountSmallDisk(folder, diskBytes);
  const lastro = await world.start();
  using client = connect(lastro.grpcAddress);
  const [before, during] = [plainEvents(1, eventsEach), plainEvents(2, eventsEach)];
  await world.send(before);
  await untilDrained(lastro, before.length);
  await untilLogged(lastro, before.length);

  const filler = fillDisk(folder, roomBytes);
  const { name } = await call(client, ExportService, "exportRecords", { format: ExportFormat.NDJSON });
  await until("the export waits", async () => lastro.output().includes("ENOSPC"), 30_000, lastro);
  await world.send(during);
  await untilDrained(lastro, before.length + during.length);
  expect((await readiness(lastro)).status).toBe("ok");
  expect((await call(client, Operations, "getOperation", { name })).done).toBe(false);

  rmSync(filler);
  const { done, result } = await call(client, Operations, "waitOperation", { name });
  expect([done, result.case]).toEqual([true, "response"]);
  const chunks: Uint8Array[] = [];
  for await (const { data } of callStream(client, ExportService, "readExport", { name })) chunks.push(data);
  expect(Buffer.concat(chunks).toString().trimEnd().split("\n")).toHaveLength(before.length);
  const files = readdirSync(join(folder, basename(name))).toSorted();
  expect(files).toEqual(["manifest.json", expect.stringMatching(/^part-00001-[0-9a-f]{16}\.ndjson$/)]);
  expect(await lastro.stop()).toBe(0);
  await world.checkAfter(
    { fault: "the disk of the exports is full, then has room" },
    storedOnly([...before, ...during]),
  );
}, 180_000);
