/** A record as an audit log: JSON in the words of the REST interface. Payload and metadata are written as they were received, so that numbers keep their digits. */
import * as z from "zod";
import { operationOf } from "../../core/actions.ts";
import { actionTypes, envelopeFlags, severities, statuses } from "../../core/event.ts";
import { contentOf, type RecordView } from "../../query/record-view.ts";
import type { SeenTree } from "../../query/seen-tree.ts";

const dateTime = z.string().meta({ format: "date-time" });
const base64 = z.string().meta({ contentEncoding: "base64" });
export const anyJson = z.unknown();

export const auditLogShape = z
  .object({
    id: z.string().describe("Record id: topic incarnation, partition, offset"),
    event_id: z
      .object({ form: z.enum(["ce", "header", "metadata"]), parts: z.array(z.string()) })
      .nullable()
      .describe("The producer's identity for the event"),
    timestamp: dateTime
      .nullable()
      .describe("When it was done; null once erased, as all that the sealed body says"),
    recorded_at: dateTime,
    action: z.string().describe("The operation: CREATE, READ, LOGIN_FAILED, …"),
    event_type: z.string(),
    action_type: z.enum([...actionTypes, "none"]),
    kind: z.enum(["change", "activity"]),
    version: z.int(),
    is_active: z.boolean(),
    tenant: z.string(),
    namespace: z.string().nullable(),
    resource: z.string().nullable(),
    entity_type: z.string().nullable(),
    resource_id: z.string().nullable(),
    user_id: z.string().nullable(),
    user_role: z.string().nullable(),
    user_type: z.enum(["user", "service"]).nullable(),
    ip_address: z.string().nullable(),
    status: z.enum(statuses),
    severity: z.enum(severities),
    service_name: z.string(),
    service_id: z.string().nullable(),
    trace_id: z.string().nullable(),
    ownership_id: z.string().nullable(),
    flags: z.array(z.enum(envelopeFlags)),
    body_state: z.enum(["complete", "masked", "partly_erased", "erased", "broken"]),
    check: z.object({
      leaf_hash_matches: z.boolean(),
      body_matches: z.boolean(),
      altered_fields: z.array(z.string()),
    }),
    log: z.object({
      state: z.enum(["pending", "logged", "witnessed"]),
      index: z.int().nullable(),
      tree_size: z.int().nullable(),
    }),
    entry: z.string().describe("Leaf entry, verbatim RFC 8785 text"),
    leaf_hash: base64,
    payload: anyJson,
    metadata: anyJson,
  })
  .meta({ id: "AuditLog" });

type Told = Omit<z.infer<typeof auditLogShape>, "payload" | "metadata">;

export const isoOf = (ms: number): string => new Date(ms).toISOString();
export const base64Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

function toldOf(view: RecordView, seen: SeenTree): Told {
  const content = contentOf(view);
  const place = seen.placeOf(view);
  const { identity } = content ?? {};
  return {
    id: view.rid,
    event_id:
      identity === undefined || identity.form === "fp"
        ? null
        : { form: identity.form, parts: [...identity.parts] },
    timestamp: content === undefined ? null : isoOf(content.actionAtMs),
    recorded_at: isoOf(view.recordedAtMs),
    action: operationOf(view.eventType),
    event_type: view.eventType,
    action_type: view.action,
    kind: view.kind,
    version: view.version,
    is_active: view.isActive,
    tenant: view.tenant,
    namespace: content?.namespace ?? null,
    resource: view.resourceType ?? content?.entityType ?? null,
    entity_type: content?.entityType ?? null,
    resource_id: content?.entityId ?? null,
    user_id: content?.actor.id ?? null,
    user_role: content?.actor.role ?? null,
    user_type: content?.actor.type ?? null,
    ip_address: content?.actor.ip ?? null,
    status: view.status,
    severity: view.severity,
    service_name: view.producerService,
    service_id: content?.producerServiceId ?? null,
    trace_id: content?.traceId ?? null,
    ownership_id: content?.ownershipId ?? null,
    flags: [...view.flags],
    body_state: view.content.state,
    check: {
      leaf_hash_matches: view.check.leafHashMatches,
      body_matches: view.check.bodyMatches,
      altered_fields: [...view.check.alteredFields],
    },
    log: {
      state: place.state,
      index: place.index ?? null,
      tree_size: place.state === "pending" ? null : place.treeSize,
    },
    entry: view.entry,
    leaf_hash: base64Of(view.leafHash),
  };
}

const decoder = new TextDecoder();
export const rawJson = (bytes: Uint8Array | undefined): string =>
  bytes === undefined || bytes.length === 0 ? "null" : decoder.decode(bytes);

/** JSON text: members of `fields`, then those whose text is given as it is. */
export function withRaw(fields: object, raw: Readonly<Record<string, string>>): string {
  const members = Object.entries(raw).map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  const before = JSON.stringify(fields).slice(1, -1);
  return `{${[...(before === "" ? [] : [before]), ...members].join(",")}}`;
}

export function auditLogText(view: RecordView, seen: SeenTree): string {
  const content = contentOf(view);
  return withRaw(toldOf(view, seen), {
    payload: rawJson(content?.payload),
    metadata: rawJson(content?.metadata),
  });
}
export const auditLogList = (views: readonly RecordView[], seen: SeenTree): string =>
  `[${views.map((view) => auditLogText(view, seen)).join(",")}]`;

export const csvColumns = [
  "id", "timestamp", "recorded_at", "action", "event_type", "action_type", "kind", "version", "is_active", "tenant", "namespace", "resource",
  "resource_id", "user_id", "user_role", "user_type", "ip_address", "status", "severity", "service_name", "trace_id", "ownership_id", "body_state",
] as const satisfies readonly (keyof Told)[]; // biome-ignore format: a list

export function csvCells(
  view: RecordView,
  seen: SeenTree,
): readonly (string | number | boolean | undefined)[] {
  const told = toldOf(view, seen);
  const content = contentOf(view);
  const raw = [content?.payload, content?.metadata].map((bytes) =>
    bytes === undefined ? undefined : decoder.decode(bytes),
  );
  return [...csvColumns.map((column) => told[column] ?? undefined), ...raw];
}
