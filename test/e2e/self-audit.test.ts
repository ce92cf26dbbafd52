/** The watcher is watched: what callers of the running service read and do becomes records of the same log, through the same topic. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Rid } from "../../src/core/ids.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService } from "../../src/gen/lastro/v1/operations_pb.ts";
import { LogState } from "../../src/gen/lastro/v1/record_pb.ts";
import { gatherEvidence } from "../../src/sdk/gather-evidence.ts";
import { verifyBundle } from "../../src/sdk/verify.ts";
import { until } from "../support/lastro.ts";
import { jsonOf, message, metricOf, type Service, startService, startTimeoutMs, textOf } from "./service.ts";

const windowMs = 1_000;
let service: Service;
beforeAll(async () => {
  service = await startService("sqlite", {
    LASTRO_SELF_AUDIT: "on",
    LASTRO_SELF_AUDIT_WINDOW_MS: String(windowMs),
  });
}, startTimeoutMs);
afterAll(async () => service?.[Symbol.asyncDispose]());

async function records(filter: string) {
  const found = await service.ask(HistoryService, "searchRecords", { filter });
  return found.records;
}
const ours = (type: string) => records(`producer_service = lastro AND event_type = "${type}"`);

test(
  "R-87 a read and an operator's act become records that are proven like any other, and reading these comes to its end",
  async () => {
    await service.send([message({ metadata: { tenant_id: "acme" } })]);
    expect(await records("tenant = acme AND producer_service = team_service")).toHaveLength(1);
    const target = { case: "breaker", value: true } as const;
    await service.ask(OperationsService, "resumePartition", { target });

    const areStored = async () =>
      (await ours("personal_data.viewed")).length > 0 &&
      (await ours("partition_resume.submitted")).length > 0;
    await until("both are stored", areStored, 20_000, service.lastro());
    const [act] = await ours("partition_resume.submitted");
    expect(jsonOf(act?.payload)).toEqual({ id: "breaker", accept_incarnation: false });
    const views = await ours("personal_data.viewed");
    const view = views.find(({ entity }) => entity?.tenant === "acme");
    expect(jsonOf(view?.payload)).toEqual({ id: "SearchRecords", records: 1, tenants: ["acme"] });
    expect(view?.actor).toMatchObject({ ownerId: "anonymous", ownerType: "user" });
    expect(textOf(view?.entry)).not.toContain("anonymous");

    const rid = view?.rid as Rid;
    await service.ask(HistoryService, "getRecord", {
      by: { case: "rid", value: rid },
      waitFor: LogState.LOGGED,
    });
    const evidence = await gatherEvidence(service.lastro().grpcAddress, { kind: "record", rid }, Date.now);
    expect(verifyBundle({ kind: "record", rid }, evidence)).toMatchObject({ verdict: "intact" });

    // Of reading our own there is one a window: what was read so often above is counted in few.
    const told = async (outcome: string) =>
      metricOf(await service.metrics(), `lastro_self_audit_events_total{outcome="${outcome}"`);
    const beganMs = performance.now();
    const before = await told("published");
    for (let i = 0; i < 200; i++) await ours("personal_data.viewed");
    const more = (await told("published")) - before;
    const windows = Math.ceil((performance.now() - beganMs) / windowMs);
    // One more may have ended before.
    expect(more).toBeLessThanOrEqual(windows + 1);
    expect(await told("dropped")).toBe(0);
  },
  startTimeoutMs,
);

test(
  "R-87 with access control off nothing is told unless it is asked for",
  async () => {
    await service.restart({ LASTRO_SELF_AUDIT: "off" });
    await service.send([message({ payload: { public_id: "quiet" } })]);
    const before = await ours("personal_data.viewed");
    for (let i = 0; i < 50; i++) await records("producer_service = team_service");
    await service.send([message({ payload: { public_id: "later" } })]);
    expect(await ours("personal_data.viewed")).toHaveLength(before.length);
  },
  startTimeoutMs,
);
