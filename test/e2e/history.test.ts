/** The main job on both stores: published to Kafka, asked back over gRPC. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { HistoryService, VersionOrder } from "../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService, OutcomeKind } from "../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../src/gen/lastro/v1/ownership_pb.ts";
import {
  ActionType,
  type Record as Answer,
  BodyState,
  StreamKind,
} from "../../src/gen/lastro/v1/record_pb.ts";
import {
  headerOf,
  jsonOf,
  message,
  readTopic,
  type Service,
  startService,
  startTimeoutMs,
  textOf,
} from "./service.ts";
import {
  account,
  accountId,
  accountLife,
  aroundIt,
  johnsOwnership,
  marysOwnership,
  otherTrace,
  publishedReference,
  reference,
  trace,
} from "./story.ts";

const catalogue = {
  version: 1,
  events: {
    "account.*": {
      processing: { legal_basis: "LGPD art. 7, V", purpose: "account keeping", retention_days: 1825 },
    },
    "order.*": { processing: { legal_basis: "LGPD art. 7, II", purpose: "tax records", retention_days: 10 } },
    "order.updated": { processing: { purpose: "billing" } },
  },
};
const dayMs = 86_400_000;

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  let versions: readonly Answer[];
  /** The account's active versions after each of its events. */
  const activeAfter: bigint[][] = [];
  /** Each version as it was answered when it was the newest. */
  const asRecorded: Answer[] = [];
  const folder = mkdtempSync(join(tmpdir(), "lastro-e2e-"));

  const wholeHistory = (order: VersionOrder) =>
    service.ask(HistoryService, "getHistory", { entity: account, includeInactive: true, order });
  const stateAt = (
    asOf: { case: "version"; value: bigint } | { case: "recordedAt" | "actionAt"; value: Timestamp },
  ) => service.ask(HistoryService, "getState", { entity: account, asOf });
  const search = async (filter: string, orderBy = "action_at"): Promise<readonly string[]> => {
    const { records, alteredRids } = await service.ask(HistoryService, "searchRecords", { filter, orderBy });
    expect(alteredRids).toEqual([]);
    return records.map(({ eventType }) => eventType);
  };

  beforeAll(async () => {
    const path = join(folder, "catalogue.json");
    writeFileSync(path, JSON.stringify(catalogue));
    service = await startService(kind, { LASTRO_CATALOGUE_FILE: path });
    // One by one, so that each version has a moment of its own.
    for (const event of accountLife) {
      await service.send([event]);
      const { records } = await service.ask(HistoryService, "getHistory", { entity: account });
      activeAfter.push(records.map(({ version }) => version));
      const [newest] = (await wholeHistory(VersionOrder.NEWEST_FIRST)).records;
      if (newest !== undefined) asRecorded.push(newest);
    }
    await service.send([...aroundIt, message({ text: publishedReference })]);
    versions = (await wholeHistory(VersionOrder.OLDEST_FIRST)).records;
  }, startTimeoutMs);
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test("R-02 R-03 R-04 R-08 the reference event is stored, its aliases normalised, and read back byte for byte", async () => {
    const rid = versions[0]?.rid ?? "";
    const { record } = await service.ask(HistoryService, "getRecord", { by: { case: "rid", value: rid } });
    expect(record).toMatchObject({
      entity: { tenant: "default", ...account },
      eventType: "account.created",
      producerService: "team_service",
      producerServiceId: "123e4567-e89b-12d3-a456-426614174000",
      traceId: trace,
      actor: { ownerId: "789", ownerIp: "192.168.1.100", ownerRole: "admin", ownerType: "user" },
      ownershipId: johnsOwnership,
      bodyState: BodyState.COMPLETE,
      check: { leafHashMatches: true, bodyMatches: true, alteredFields: [] },
    });
    expect(record?.flags).toContain("aliased");
    expect(textOf(record?.event)).toBe(reference);
    expect(jsonOf(record?.payload)).toEqual(JSON.parse(reference).payload);
    expect(jsonOf(record?.metadata)).toMatchObject({ environment: "production", user_id: "789" });
  });

  test("R-02 the published form, which ends a line with a comma too many, is refused with a reason that says so and lies unchanged in the dead letters", async () => {
    const [letter] = await readTopic(`${service.world.topic}.dlq`, 1);
    expect(letter?.value?.equals(Buffer.from(publishedReference))).toBe(true);
    expect(headerOf(letter, "audit.dlq.reason")).toBe("INVALID_JSON");
    expect(headerOf(letter, "audit.dlq.message")).toMatch(/comma/);
    expect(headerOf(letter, "__connect.errors.topic")).toBe(service.world.topic);
    const partition = (await service.intake()).find(({ counts }) => counts?.rejected === 1n);
    const { outcomes } = await service.ask(OperationsService, "listOutcomes", {
      src: partition?.src ?? "",
      kinds: [OutcomeKind.REJECTED],
    });
    expect(outcomes).toMatchObject([
      { reason: "INVALID_JSON", sentence: expect.stringMatching(/comma/), deadLetter: { offset: 0n } },
    ]);
  });

  test("R-06 R-07 created, updated, disabled, enabled and removed become versions 1 to 5; the newest alone is active, and not while disabled or removed", async () => {
    expect(versions.map(({ version, action }) => [version, action])).toEqual([
      [1n, ActionType.NEW],
      [2n, ActionType.UPDATE],
      [3n, ActionType.DISABLE],
      [4n, ActionType.ENABLE],
      [5n, ActionType.DELETE],
    ]);
    expect(versions.map(({ isActive }) => isActive)).toEqual([false, false, false, false, false]);
    expect(versions.map(({ actionAt }) => actionAt && new Date(timestampMs(actionAt)).getUTCDate())).toEqual([
      22, 23, 24, 25, 26,
    ]);
    expect(activeAfter).toEqual([[1n], [2n], [], [4n], []]);
    const order = { namespace: "billing_service", entityType: "order", entityId: "o-1" };
    const both = await service.ask(HistoryService, "getHistory", { entity: order, includeInactive: true });
    expect(both.records.map(({ version, isActive }) => [version, isActive])).toEqual([
      [2n, true],
      [1n, false],
    ]);
  });

  test("R-07 a record stays what it was when later versions come; only whether it is active and its place in the log change", () => {
    expect(asRecorded.map(({ isActive }) => isActive)).toEqual([true, true, false, true, false]);
    const unplaced = (record: Answer): Answer => ({ ...record, log: undefined });
    expect(versions.map(unplaced)).toEqual(
      asRecorded.map((record) => ({ ...unplaced(record), isActive: false })),
    );
  });

  const names = ["John Doe", "John A. Doe", "John A. Doe", "John B. Doe", "John B. Doe"];

  test("R-07 the state of the account as of each version, and as of each moment, is rebuilt", async () => {
    for (const [index, name] of names.entries()) {
      const { recordedAt, actionAt, version } = versions[index] as Answer;
      const asked = [
        await stateAt({ case: "version", value: version }),
        await stateAt({ case: "recordedAt", value: recordedAt as never }),
        await stateAt({ case: "actionAt", value: actionAt as never }),
      ];
      for (const state of asked) {
        expect(state).toMatchObject({ found: true, deleted: version === 5n, record: { version } });
        expect(jsonOf(state.state)).toMatchObject({ public_id: accountId, name });
      }
    }
    const first = versions[0]?.recordedAt;
    const before = timestampFromMs((first === undefined ? 0 : timestampMs(first)) - 1);
    expect((await stateAt({ case: "recordedAt", value: before })).found).toBe(false);
    const compared = await service.ask(HistoryService, "compareVersions", {
      entity: account,
      fromVersion: 2n,
      toVersion: 4n,
    });
    expect(
      compared.differences.map(({ op, path, oldValue, newValue }) => [
        op,
        path,
        jsonOf(oldValue),
        jsonOf(newValue),
      ]),
    ).toEqual([["replace", "/name", "John A. Doe", "John B. Doe"]]);
  });

  test("R-09 an ownership tells its first and last event, producers, legal basis, purpose and retention", async () => {
    const of = async (ownershipId: string, tenant = "") =>
      (await service.ask(OwnershipService, "getOwnership", { tenant, ownershipId })).ownership;
    const at = (text: string) => timestampFromMs(Date.parse(text));
    expect(await of(johnsOwnership)).toMatchObject({
      tenant: "default",
      ownershipId: johnsOwnership,
      firstEventAt: at("2024-06-22T12:00:00Z"),
      lastEventAt: at("2024-06-27T12:00:00Z"),
      producers: ["team_service"],
      legalBases: ["LGPD art. 7, V"],
      purposes: ["account keeping"],
      retainUntil: timestampFromMs(Date.parse("2024-06-27T12:00:00Z") + 1825 * dayMs),
    });
    const mary = await of(marysOwnership);
    expect(mary?.purposes.toSorted()).toEqual(["billing", "tax records"]);
    expect(mary?.legalBases).toEqual(["LGPD art. 7, II"]);
    expect((await of(marysOwnership, "acme"))?.producers).toEqual(["identity_service"]);
    const listed = await service.ask(OwnershipService, "listOwnerships", { tenant: "default" });
    expect(listed.ownerships.map(({ ownershipId }) => ownershipId).toSorted()).toEqual([
      johnsOwnership,
      marysOwnership,
    ]);
    const owned = await service.ask(OwnershipService, "listOwnedRecords", { ownershipId: johnsOwnership });
    expect(owned.records.map(({ eventType }) => eventType).toSorted()).toEqual([
      "account.created", "account.disabled", "account.enabled", "account.removed", "account.updated", "account.viewed",
    ]); // biome-ignore format: a list
  });

  const eventIds = [
    ["billing_service", "", { case: "metadata", value: "order-1" }, "order.created"],
    ["identity_service", "acme", { case: "header", value: "member-1" }, "team.member.added"],
  ] as const;
  test("R-10 a record is found by its rid and by its event id", async () => {
    for (const [producerService, tenant, form, eventType] of eventIds) {
      const value = { tenant, producerService, form };
      const { record } = await service.ask(HistoryService, "getRecord", { by: { case: "eventId", value } });
      expect(record?.eventType).toBe(eventType);
      const again = await service.ask(HistoryService, "getRecord", {
        by: { case: "rid", value: record?.rid ?? "" },
      });
      // Its place in the log may have been published between the two answers.
      expect({ ...again.record, log: undefined }).toEqual({ ...record, log: undefined });
    }
  });

  const life = [
    "account.created",
    "account.updated",
    "account.disabled",
    "account.enabled",
    "account.removed",
  ];
  const orders = ["order.created", "order.updated"];
  // biome-ignore format: a table
  test.each([
    ["by owner", `owner_id = "789" AND tenant = default`, life],
    ["by owner, another one", "owner_id = 4711", ["account.viewed"]],
    ["by owner, a service", "owner_id = nightly-job", orders],
    ["by trace", `trace_id = ${otherTrace} AND tenant = default`, orders],
    ["by trace, in another spelling", `trace_id = "7B3BF470-9456-11E8-9EB6-529269FB1459" AND tenant = default`, [...life, "account.viewed"]],
    ["by producer", "producer_service = billing_service", orders],
    ["by event type", "event_type = account.disabled", ["account.disabled"]],
    ["by action", "action = delete", ["account.removed"]],
    ["by kind", "kind = activity", ["account.viewed"]],
    ["by entity", `entity_type = account AND entity_id = "${accountId}" AND kind = change`, life],
    ["by namespace", "namespace = identity_service", ["team.member.added"]],
    ["by tenant", "tenant = acme", ["team.member.added"]],
    ["by ownership", `ownership_id = "${marysOwnership}"`, [...orders, "team.member.added"]],
    ["by active", "active = true", ["order.updated", "team.member.added"]],
    ["by when it happened", "action_at >= 2024-06-24T00:00:00Z AND action_at < 2024-06-26T12:00:00Z", ["account.disabled", "account.enabled"]],
    ["by nothing that is there", "owner_id = nobody", []],
  ] as const)("R-10 records are found %s", async (_, filter, expected) => {
    expect(await search(filter)).toEqual(expected);
    expect(await search(filter, "action_at desc")).toEqual(expected.toReversed());
  });

  test("R-10 records are found by when they were recorded", async () => {
    const at = (index: number): string => {
      const time = versions[index]?.recordedAt;
      return new Date(time === undefined ? 0 : timestampMs(time)).toISOString();
    };
    expect(await search(`recorded_at >= ${at(1)} AND recorded_at <= ${at(3)}`, "recorded_at")).toEqual(
      life.slice(1, 4),
    );
  });

  test("R-10 an entity's activities are listed beside its changes when asked for", async () => {
    const { records } = await service.ask(HistoryService, "getHistory", {
      entity: account,
      kinds: [StreamKind.ACTIVITY],
    });
    expect(records.map(({ version, eventType, actor }) => [version, eventType, actor?.ownerId])).toEqual([
      [1n, "account.viewed", "4711"],
    ]);
  });

  test("R-10 pages of a search follow each other without a gap or a repetition", async () => {
    const rids: string[] = [];
    let pageToken = "";
    do {
      const page = await service.ask(HistoryService, "searchRecords", { pageSize: 2, pageToken });
      expect(page.records.length).toBeLessThanOrEqual(2);
      rids.push(...page.records.map(({ rid }) => rid));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(new Set(rids).size).toBe(rids.length);
    expect(rids).toHaveLength(accountLife.length + aroundIt.length);
    const whole = await service.ask(HistoryService, "searchRecords", { pageSize: 100 });
    expect(whole.records.map(({ rid }) => rid)).toEqual(rids);
  });
});
