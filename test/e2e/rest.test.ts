/** The running service over REST: the routes that people already use, and the same answers as over gRPC. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseNote } from "../../src/core/signed-note.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { OwnershipService } from "../../src/gen/lastro/v1/ownership_pb.ts";
import {
  ActionType,
  BodyState,
  EventStatus,
  LogState,
  type Record as RecordMessage,
  Severity,
  StreamKind,
} from "../../src/gen/lastro/v1/record_pb.ts";
import { TransparencyService } from "../../src/gen/lastro/v1/transparency_pb.ts";
import { failureOf } from "../support/grpc-client.ts";
import { until } from "../support/lastro.ts";
import { ask, json, refusal } from "../support/rest-client.ts";
import { jsonOf, message, type Service, startService, startTimeoutMs, textOf } from "./service.ts";
import { account, accountId, accountLife, aroundIt, johnsOwnership, reference } from "./story.ts";

type AuditLog = Readonly<Record<string, unknown>> & { readonly id: string };

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  let url: string;
  beforeAll(async () => {
    service = await startService(kind);
    url = service.lastro().restUrl;
    const failures = Array.from({ length: 5 }, (_, i) =>
      message({
        type: "auth.login_failed",
        timestamp: `2024-08-01T12:00:0${i}Z`,
        payload: { id: i },
        metadata: { user_id: "eve", user_ip: "203.0.113.9" },
      }),
    );
    await service.send([...accountLife, ...aroundIt, ...failures]);
    const isLogged = async () => {
      const { records } = await service.ask(HistoryService, "searchRecords", { pageSize: 100 });
      return records.length > 0 && records.every(({ log }) => log?.state === LogState.LOGGED);
    };
    await until("every record is in the log", isLogged, 30_000, service.lastro());
  }, 2 * startTimeoutMs);
  afterAll(async () => service?.[Symbol.asyncDispose]());

  const bodyStates = {
    [BodyState.COMPLETE]: "complete",
    [BodyState.PARTLY_ERASED]: "partly_erased",
  } as const;

  const eventIdOf = ({ eventId }: RecordMessage) => {
    const form = eventId?.form;
    if (form?.case === undefined) return null;
    return form.case === "cloudEvent"
      ? { form: "ce", parts: [form.value.source, form.value.id] }
      : { form: form.case, parts: [form.value] };
  };

  const nameIn = (names: Readonly<Record<string, number>>, value: number) =>
    Object.keys(names).find((name) => names[name] === value);

  /** In the words of REST. */
  const ofGrpc = (record: RecordMessage) => ({
    id: record.rid,
    event_id: eventIdOf(record),
    action: record.operation,
    action_type: nameIn(ActionType, record.action)?.toLowerCase(),
    resource: record.resourceType ?? record.entity?.entityType,
    status: nameIn(EventStatus, record.status),
    severity: nameIn(Severity, record.severity),
    check: {
      leaf_hash_matches: record.check?.leafHashMatches,
      body_matches: record.check?.bodyMatches,
      altered_fields: record.check?.alteredFields,
    },
    event_type: record.eventType,
    kind: record.kind === StreamKind.CHANGE ? "change" : "activity",
    version: Number(record.version),
    is_active: record.isActive,
    timestamp: record.actionAt && new Date(timestampMs(record.actionAt)).toISOString(),
    recorded_at: record.recordedAt && new Date(timestampMs(record.recordedAt)).toISOString(),
    tenant: record.entity?.tenant,
    namespace: record.entity?.namespace,
    entity_type: record.entity?.entityType,
    resource_id: record.entity?.entityId,
    user_id: record.actor?.ownerId,
    user_role: record.actor?.ownerRole,
    user_type: record.actor?.ownerType,
    ip_address: record.actor?.ownerIp,
    service_name: record.producerService,
    service_id: record.producerServiceId,
    trace_id: record.traceId,
    ownership_id: record.ownershipId ?? null,
    flags: record.flags,
    entry: textOf(record.entry),
    leaf_hash: Buffer.from(record.leafHash).toString("base64"),
    payload: jsonOf(record.payload),
    metadata: jsonOf(record.metadata),
    body_state: bodyStates[record.bodyState as keyof typeof bodyStates],
    log: { state: "logged", index: Number(record.log?.index), tree_size: Number(record.log?.treeSize) },
  });
  /** A growing log moves on between two questions: what is compared is the record. */
  const still = ({ log, ...record }: Readonly<Record<string, unknown>>) => ({
    ...record,
    log: { ...(log as object), tree_size: undefined },
  });

  test.each([
    ["", ""],
    [`resource_id=${accountId}`, `entity_id = "${accountId}"`],
    ["user_id=789", "owner_id = 789"],
    ["user_id=789&action=UPDATE", "owner_id = 789 operation = UPDATE"],
    ["service_name=billing_service", "producer_service = billing_service"],
    ["severity=CRITICAL", "severity = CRITICAL"],
    ["status=FAILURE&ip_address=203.0.113.9", "status = FAILURE owner_ip = 203.0.113.9"],
    [
      "from_date=2024-06-24T00:00:00Z&to_date=2024-07-01T12:00:00Z",
      "action_at >= 2024-06-24T00:00:00Z action_at <= 2024-07-01T12:00:00Z",
    ],
    ["filter=kind%20%3D%20activity", "kind = activity"],
    ["tenant=nobody", "tenant = nobody"],
  ])(
    "R-65 REST's %j and gRPC's %j give the same records, in every order and page by page",
    async (query, filter) => {
      for (const [order, orderBy] of [
        ["", "action_at desc"],
        ["sort_order=ASC", "action_at"],
        ["sort_by=recorded_at", "recorded_at desc"],
        ["sort_by=resource_id&sort_order=ASC", "entity_id"],
        ["sort_by=user_id", "owner_id desc"],
      ]) {
        const logs: AuditLog[] = [];
        const records: RecordMessage[] = [];
        for (let token = ""; ; ) {
          const page = await json(`${url}/audit-logs?${query}&${order}&limit=4&page_token=${token}`);
          logs.push(...page.data);
          token = page.pagination.next_page_token;
          if (token === "") break;
        }
        for (let pageToken = ""; ; ) {
          const page = await service.ask(HistoryService, "searchRecords", {
            filter,
            orderBy: orderBy ?? "",
            pageSize: 4,
            pageToken,
          });
          records.push(...page.records);
          pageToken = page.nextPageToken;
          if (pageToken === "") break;
        }
        expect(logs.map(still)).toEqual(records.map(ofGrpc).map(still));
        expect(logs.length === 0).toBe(query === "tenant=nobody");
      }
    },
  );

  test("R-62 a record over REST is the one over gRPC, with the bytes that were published; the answer names its tree", async () => {
    const { data: logs } = await json(`${url}/audit-logs?resource_id=${accountId}&action=CREATE`);
    const { status, text, headers } = await ask(`${url}/audit-logs/${logs[0].id}`);
    const { data, event, tree_size } = JSON.parse(text);
    const { record } = await service.ask(HistoryService, "getRecord", {
      by: { case: "rid", value: data.id },
    });
    if (record === undefined) throw new Error("there is no record");
    expect([status, still(data)]).toEqual([200, still(ofGrpc(record))]);
    expect(Buffer.from(event, "base64").toString()).toBe(reference);
    expect(headers.get("x-audit-tree-size")).toBe(String(tree_size));
    expect(tree_size).toBeGreaterThan(0);
  });

  test("R-62 R-23 an event that is posted is published, stored and logged, and once under one idempotency key", async () => {
    const body = reference.replaceAll(accountId, "posted-1").replace('"id": 123, ', "");
    const headers = { "content-type": "application/json", "idempotency-key": "posted-1" };
    const post = (wait: string) => ask(`${url}/audit-logs${wait}`, { method: "POST", headers, body });
    const first = await post("?wait=logged");
    const { id, outcome } = JSON.parse(first.text);
    expect([first.status, outcome]).toEqual([201, "stored"]);
    expect((await json(`${url}/audit-logs/${id}`)).data).toMatchObject({
      resource_id: "posted-1",
      log: { state: "logged" },
    });
    const again = await post("?wait=stored");
    expect([again.status, JSON.parse(again.text)]).toMatchObject([
      201,
      { outcome: "duplicate", original_id: id },
    ]);
    expect((await post("")).status).toBe(202);
    const rejected = { method: "POST", headers, body: "{}" };
    expect(await refusal(`${url}/audit-logs`, rejected)).toMatch(/^400 EVENT_REJECTED event/);
  });

  test("R-63 what happened to a resource, what a user did, and from where", async () => {
    const types = async (path: string): Promise<string[]> =>
      (await json(`${url}${path}`)).data.map(({ event_type }: { readonly event_type: string }) => event_type);
    expect(await types(`/audit-logs/resource/Account/${accountId}?status=SUCCESS&action=DELETE`)).toEqual([
      "account.removed",
    ]);
    expect(await types("/audit-logs/user/4711")).toEqual(["account.viewed"]);
    const { data } = await json(`${url}/audit-logs/user/eve/ip-history`);
    expect(data).toMatchObject([
      { ip_address: "203.0.113.9", count: 5, first_seen: "2024-08-01T12:00:00.000Z" },
    ]);
  });

  test("R-64 critical events, failed logins, what is suspicious, counts, and exports", async () => {
    const failures = Array.from({ length: 5 }, () => "auth.login_failed");
    for (const list of ["critical", "failed-auth"]) {
      const { data } = await json(`${url}/audit-logs/${list}`);
      expect(data.map(({ event_type }: { readonly event_type: string }) => event_type)).toEqual(failures);
    }
    expect((await json(`${url}/audit-logs/suspicious-activity`)).data).toMatchObject([
      { rule: "many_failed_logins", ip_address: "203.0.113.9", count: 5 },
      { rule: "brute_force", user_id: "eve", count: 5 },
    ]);
    const before = "to_date=2024-07-31T00:00:00Z";
    const { data } = await json(`${url}/audit-logs?${before}&resource=account`);
    const counts = () => json(`${url}/audit-logs/summary?${before}&resource=account`);
    // What is stored is counted once it is in the log.
    await until("all are counted", async () => (await counts()).total === data.length, 20_000);
    const { total, by } = await counts();
    expect(by.action.reduce((sum: number, { count }: { readonly count: number }) => sum + count, 0)).toBe(
      total,
    );
    expect((await json(`${url}/audit-logs/export?user_id=eve`)).map(({ id }: AuditLog) => id)).toEqual(
      (await json(`${url}/audit-logs/user/eve`)).data.map(({ id }: AuditLog) => id),
    );
    const csv = await ask(`${url}/audit-logs/export?format=csv&user_id=eve`);
    expect([csv.headers.get("content-type"), csv.text.trim().split("\r\n").length]).toEqual([
      "text/csv; charset=utf-8; header=present",
      6,
    ]);
  });

  test("R-66 a page is 50 unless told, and offsets pass over", async () => {
    const { data, pagination } = await json(`${url}/audit-logs`);
    expect(pagination).toMatchObject({ limit: 50, offset: 0, next_page_token: "" });
    const behind = await json(`${url}/audit-logs?offset=3&limit=2`);
    expect(behind.data.map(({ id }: AuditLog) => id)).toEqual(data.slice(3, 5).map(({ id }: AuditLog) => id));
  });

  test("R-61 history, states, changes and differences of an entity are those of gRPC", async () => {
    const at = `${url}/entities/${account.namespace}/${account.entityType}/${account.entityId}`;
    const history = await json(`${at}/history?sort_order=ASC`);
    const versions = await service.ask(HistoryService, "getHistory", {
      entity: account,
      includeInactive: true,
      order: 2,
    });
    expect(history.data.map(still)).toEqual(versions.records.map(ofGrpc).map(still));
    for (const version of [1, 2, 5]) {
      const state = await json(`${at}/state?version=${version}`);
      const asked = await service.ask(HistoryService, "getState", {
        entity: account,
        asOf: { case: "version", value: BigInt(version) },
      });
      expect([state.found, state.deleted, state.state]).toEqual([
        asked.found,
        asked.deleted,
        jsonOf(asked.state),
      ]);
    }
    const changes = await json(`${at}/changes`);
    const listed = await service.ask(HistoryService, "listChanges", { entity: account });
    expect(changes.data.length).toBeGreaterThan(2);
    expect(
      changes.data.map((change: Readonly<Record<string, unknown>>) => [
        still(change["record"] as AuditLog),
        change["old_values"],
        change["new_values"],
        (change["differences"] as readonly { readonly op: string; readonly path: string }[]).map(
          ({ op, path }) => [op, path],
        ),
      ]),
    ).toEqual(
      listed.changes.map(({ record, oldValues, newValues, differences }) => [
        record && still(ofGrpc(record)),
        oldValues && jsonOf(oldValues),
        newValues && jsonOf(newValues),
        differences.map(({ op, path }) => [op, path]),
      ]),
    );
    const { differences } = await json(`${at}/compare?from_version=1&to_version=2`);
    const compared = await service.ask(HistoryService, "compareVersions", {
      entity: account,
      fromVersion: 1n,
      toVersion: 2n,
    });
    expect(
      differences.map(({ op, path }: { readonly op: string; readonly path: string }) => [op, path]),
    ).toEqual(compared.differences.map(({ op, path }) => [op, path]));
    expect(await refusal(`${at}/compare?from_version=99&to_version=0`)).toBe(
      "400 INVALID_ARGUMENT to_version",
    );
  });

  test("R-62 ownerships and proofs are the messages of gRPC, and a checkpoint over REST is a signed note", async () => {
    const { ownership } = await json(`${url}/ownerships/${johnsOwnership}`);
    const told = await service.ask(OwnershipService, "getOwnership", { ownershipId: johnsOwnership });
    expect(ownership.ownership_key).toBe(told.ownership?.ownershipKey);
    const { checkpoint } = await json(`${url}/log/checkpoint`);
    expect(parseNote(checkpoint.note)?.text.split("\n")[1]).toBe(checkpoint.tree_size);
    const { data } = await json(`${url}/audit-logs?limit=1`);
    const query = `id=${data[0].id}&tree_size=${checkpoint.tree_size}`;
    const proof = await json(`${url}/log/inclusion-proof?${query}`);
    const asked = await service.ask(TransparencyService, "getInclusionProof", {
      by: { case: "rid", value: data[0].id },
      treeSize: BigInt(checkpoint.tree_size),
    });
    expect(proof.path).toEqual(asked.path.map((hash) => Buffer.from(hash).toString("base64")));
    expect(proof.leaf_hash).toBe(data[0].leaf_hash);
  });

  test("R-65 what one refuses the other refuses, with the same reason", async () => {
    for (const filter of ["severity > ", "nothing = 1", "a AND (b"]) {
      const failure = await failureOf(service.ask(HistoryService, "searchRecords", { filter }));
      expect(await refusal(`${url}/audit-logs?filter=${encodeURIComponent(filter)}`)).toBe(
        `400 ${failure.reason} ${failure.fields.join(" ")}`,
      );
    }
    const missing = await failureOf(service.ask(OwnershipService, "getOwnership", { ownershipId: "nobody" }));
    expect(await refusal(`${url}/ownerships/nobody`)).toMatch(`404 ${missing.reason}`);
  });

  test("the document is served, and the service stops cleanly with REST connections that are kept open", async () => {
    expect((await json(`${url}/openapi.json`)).openapi).toMatch(/^3\.1/);
    const running = ask(`${url}/audit-logs`);
    const [{ status }, { code }] = await Promise.all([running, running.then(() => service.stop())]);
    expect([status, code]).toEqual([200, 0]);
    await service.start();
  });
});
