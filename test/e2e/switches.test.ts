/** The running service while an operator switches parts of it off and on again. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type SwitchName, switchNames } from "../../src/core/switches.ts";
import { ExportFormat, ExportService } from "../../src/gen/lastro/v1/export_pb.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { IngestService } from "../../src/gen/lastro/v1/ingest_pb.ts";
import { callStream, connect, failureOf } from "../support/grpc-client.ts";
import { eventText } from "../support/history-world.ts";
import { until } from "../support/lastro.ts";
import { endOf, jsonOf, message, metricOf, type Service, startService, startTimeoutMs } from "./service.ts";

const folder = mkdtempSync(join(tmpdir(), "lastro-switches-"));
const file = join(folder, "switches.json");
const variants = { on: true, off: false };
const switchOff = (...names: readonly SwitchName[]): void => {
  const flags = Object.fromEntries(
    names.map((name) => [name, { state: "ENABLED", variants, defaultVariant: "off" }]),
  );
  writeFileSync(file, JSON.stringify({ flags }));
};
let service: Service;
beforeAll(async () => {
  switchOff();
  service = await startService("sqlite", {
    LASTRO_SWITCHES_FILE: file,
    LASTRO_FILES_REFRESH_MS: "100",
    LASTRO_SELF_AUDIT: "on",
  });
  await service.send([message({ payload: { public_id: "one" } })]);
}, startTimeoutMs);
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const offCount = async (): Promise<number> => metricOf(await service.metrics(), "lastro_switch_off{");
const untilOff = (count: number) =>
  until(`${count} are off`, async () => (await offCount()) === count, 20_000, service.lastro());

const value = Buffer.from(eventText({ payload: { public_id: "two" } }));
const questions: readonly [SwitchName, DescService, string, object][] = [
  ["publishing", IngestService, "publishEvent", { event: { value, headers: {} } }],
  ["exports", ExportService, "exportRecords", { format: ExportFormat.JSON }],
  ["full_text_search", HistoryService, "searchRecords", { filter: "text:one" }],
  ["summaries", HistoryService, "summarizeRecords", {}],
];
const ask = (of: DescService, name: string, request: object) =>
  service.ask(of as typeof HistoryService, name as "searchRecords", request);

const paths: readonly [SwitchName, string, RequestInit?][] = [
  [
    "publishing",
    "audit-logs",
    { method: "POST", body: value, headers: { "content-type": "application/json" } },
  ],
  ["exports", "audit-logs/export?format=csv"],
  ["full_text_search", "audit-logs?search=one"],
  ["summaries", "audit-logs/summary"],
  ["summaries", "audit-logs/suspicious-activity"],
  ["summaries", "audit-logs/user/u-1/ip-history"],
];
const rest = (path: string, init: RequestInit = {}) => fetch(`${service.lastro().restUrl}/${path}`, init);

test("R-13 everything is on until somebody switches it off", async () => {
  expect(await offCount()).toBe(0);
  const answered = (of: DescService, name: string, request: object) => async (): Promise<boolean> => {
    await ask(of, name, request);
    return true;
  };
  // An export needs the first published tree.
  for (const [, of, name, request] of questions.slice(1))
    await until(`${name} is answered`, answered(of, name, request), 20_000, service.lastro());
  for (const [, path] of paths.slice(1)) expect((await rest(path)).status).toBe(200);
}, 60_000);

test("R-13 what is switched off is answered UNAVAILABLE with the reason, over gRPC and REST, and the rest as ever", async () => {
  using client = connect(service.lastro().grpcAddress);
  const tail = callStream(client, HistoryService, "tailRecords", {});
  const tailing = Promise.withResolvers<void>();
  const ended = new Promise((_, reject) => tail.on("error", reject));
  tail.once("data", () => tailing.resolve()).on("data", () => undefined);
  const cut = failureOf(ended);
  await tailing.promise;

  switchOff(...switchNames);
  await untilOff(switchNames.length);
  const unavailable = { code: 14, reason: "SWITCHED_OFF", retryAfterMs: 30_000 };
  for (const [name, of, method, request] of questions) {
    const failure = await failureOf(ask(of, method, request));
    expect(failure).toMatchObject(unavailable);
    expect(failure.message).toMatch(new RegExp(`switched ${name} off for now; try again later`));
  }
  for (const [, path, init] of paths) {
    const answer = await rest(path, init);
    expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "30"]);
    expect(await answer.json()).toMatchObject({ reason: "SWITCHED_OFF" });
  }
  await service.send([message({ payload: { public_id: "three" } })]);
  expect(await cut).toMatchObject({ ...unavailable, nextIndex: expect.stringMatching(/^\d+$/) });
  const found = await ask(HistoryService, "searchRecords", { filter: "producer_service = team_service" });
  expect((found as { records: readonly unknown[] }).records).toHaveLength(2);
  const counted = metricOf(await service.metrics(), "lastro_switched_off_total{");
  expect(counted).toBe(questions.length + paths.length + 1);
}, 60_000);

test("R-13 a broken file changes nothing, and is told; what is switched on again is answered again", async () => {
  writeFileSync(file, "{");
  const stale = async () => metricOf(await service.metrics(), "lastro_switches_stale");
  await until("the file is known to be broken", async () => (await stale()) === 1, 20_000, service.lastro());
  expect(await offCount()).toBe(switchNames.length);
  expect(service.lastro().output()).toMatch(/file_refused.*file of switches/);
  switchOff("exports");
  await untilOff(1);
  expect(await stale()).toBe(0);
  await ask(HistoryService, "summarizeRecords", {});
  await ask(IngestService, "publishEvent", { event: { value, headers: {} } });
}, 60_000);

test("R-13 each change of the file becomes a record", async () => {
  const changes = async () => {
    const filter = 'producer_service = lastro AND event_type = "switches_file.config_updated"';
    const { records } = await service.ask(HistoryService, "searchRecords", { filter });
    return records.map(({ payload }) => jsonOf(payload)).toReversed();
  };
  await until("both are stored", async () => (await changes()).length === 2, 20_000, service.lastro());
  expect(await changes()).toEqual([
    { id: "switches_file", off: [...switchNames], targeted: [] },
    { id: "switches_file", off: ["exports"], targeted: [] },
  ]);
}, 60_000);

test("R-13 a broken file keeps the service from starting, with every fault", async () => {
  await service.stop();
  writeFileSync(file, JSON.stringify({ flags: { export: {}, tails: {} } }));
  const { code, output } = await endOf(await service.world.spawn());
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/^CONFIG_INVALID: .*switches\.json is not used:$/m),
  ]);
  expect(output).toMatch(/^flags\.tails\.state: /m);
  expect(output).toMatch(/^flags: .*export/m);
}, 60_000);
