/** Records as events of the Open Cybersecurity Schema Framework 1.4: what it has a place for in its place, the whole record in `unmapped`. */
import { type ExportedRecord, eventClassOf, withRecord } from "./exported-record.ts";

const schemaVersion = "1.4.0";
const severityIds = { LOW: 2, MEDIUM: 3, HIGH: 4, CRITICAL: 5 } as const;
const severityNames = { LOW: "Low", MEDIUM: "Medium", HIGH: "High", CRITICAL: "Critical" } as const;
const other = 99;
const statuses = {
  SUCCESS: { status_id: 1, status: "Success" },
  FAILURE: { status_id: 2, status: "Failure" },
  PENDING: { status_id: other, status: "Pending" },
} as const;

/** Entity Management (3004). */
const changes = {
  new: [1, "Create"],
  update: [3, "Update"],
  delete: [4, "Delete"],
  enable: [8, "Enable"],
  disable: [9, "Disable"],
  none: [other, "Other"],
} as const;

function ofClass(record: ExportedRecord): Readonly<Record<string, unknown>> {
  const event = eventClassOf(record);
  if (event === "change") {
    const [id, name] = changes[record.action];
    const entity = {
      uid: record.entity_id,
      type: record.entity_type,
      name: `${record.namespace}/${record.entity_type}/${record.entity_id}`,
      version: String(record.version),
    };
    return { ...classed(3, 3004, "Entity Management", id, name), entity };
  }
  if (event === "call") {
    const api = { operation: record.event_type, service: { name: record.producer_service } };
    return { ...classed(6, 6003, "API Activity", other, "Other"), api, src_endpoint: endpoint(record) };
  }
  const [id, name] = event === "login" ? [1, "Logon"] : [2, "Logoff"];
  return {
    ...classed(3, 3002, "Authentication", id, name),
    user: userOf(record),
    service: { name: record.producer_service },
    src_endpoint: endpoint(record),
  };
}

const classed = (categoryUid: number, classUid: number, className: string, id: number, name: string) => ({
  category_uid: categoryUid,
  category_name: categoryUid === 3 ? "Identity & Access Management" : "Application Activity",
  class_uid: classUid,
  class_name: className,
  activity_id: id,
  activity_name: name,
  type_uid: classUid * 100 + id,
  type_name: `${className}: ${name}`,
});

/** An object has one attribute at least. */
const endpoint = ({ owner_ip, producer_service }: ExportedRecord) =>
  owner_ip === "" ? { svc_name: producer_service } : { ip: owner_ip };

const userOf = ({ owner_id, owner_role, owner_type }: ExportedRecord) => ({
  uid: owner_id === "" ? "unknown" : owner_id,
  type_id: owner_type === "service" ? 3 : 1,
  type: owner_type === "service" ? "System" : "User",
  ...(owner_role !== "" && { groups: [{ name: owner_role }] }),
});

export function ocsfJson(record: ExportedRecord): string {
  const at = record.action_at === "" ? record.recorded_at : record.action_at;
  const event = {
    ...ofClass(record),
    ...statuses[record.status],
    time: Date.parse(at),
    severity_id: severityIds[record.severity],
    severity: severityNames[record.severity],
    message: record.event_type,
    actor: { user: userOf(record) },
    metadata: {
      version: schemaVersion,
      product: { name: "Lastro", vendor_name: "Lastro" },
      uid: record.rid,
      event_code: record.event_type,
      correlation_uid: record.trace_id,
      tenant_uid: record.tenant,
      sequence: record.log_index,
      logged_time: Date.parse(record.recorded_at),
      log_name: "audit",
    },
  };
  return withRecord(event, "unmapped", record);
}
