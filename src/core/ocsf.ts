/** Records as events of the Open Cybersecurity Schema Framework 1.4: what it has a place for in its place, the whole record in `unmapped`. */
import { operationOf, verbOf } from "./actions.ts";
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

type Activity = readonly [id: number, name: string];
const otherActivity: Activity = [other, "Other"];

/** Entity Management (3004). */
const changes: Readonly<Record<ExportedRecord["action"], Activity>> = {
  new: [1, "Create"],
  update: [3, "Update"],
  delete: [4, "Delete"],
  enable: [8, "Enable"],
  disable: [9, "Disable"],
  none: otherActivity,
};
/** Account Change (3001): of a user, and by verbs that are about an account whatever they name. It has no activity for an update. */
const accountChanges: typeof changes = {
  new: [1, "Create"],
  update: otherActivity,
  delete: [6, "Delete"],
  enable: [2, "Enable"],
  disable: [5, "Disable"],
  none: otherActivity,
};
const userTypes: ReadonlySet<string> = new Set(["user", "user_account"]);
const locks: ReadonlyMap<string, Activity> = new Map([
  ["locked", [9, "Lock"]], ["lock", [9, "Lock"]], ["unlocked", [12, "Unlock"]], ["unlock", [12, "Unlock"]],
]); // biome-ignore format: a table
const accountActs: ReadonlyMap<string, Activity> = new Map([
  ["PASSWORD_CHANGE", [3, "Password Change"]],
  ["PASSWORD_RESET", [4, "Password Reset"]],
  ["MFA_DISABLED", [11, "MFA Factor Disable"]],
]);
/** User Access Management (3005). Which privileges is said by the event alone. */
const accessActs: ReadonlyMap<string, Activity> = new Map([
  ["ROLE_ASSIGN", [1, "Assign Privileges"]],
  ["PERMISSION_GRANT", [1, "Assign Privileges"]],
  ["ROLE_REMOVE", [2, "Revoke Privileges"]],
  ["PERMISSION_REVOKE", [2, "Revoke Privileges"]],
]);
/** API Activity (6003). */
const calls: ReadonlyMap<string, Activity> = new Map([["READ", [2, "Read"]]]);

/** Of an erased record the event type is left. */
const isUser = ({ event_type }: ExportedRecord): boolean =>
  userTypes.has(verbOf(event_type.slice(0, event_type.lastIndexOf("."))));

function accountChangeOf(record: ExportedRecord): Activity | undefined {
  const act = accountActs.get(operationOf(record.event_type));
  if (act !== undefined) return act;
  if (record.kind !== "change" || !isUser(record)) return undefined;
  return locks.get(verbOf(record.event_type)) ?? accountChanges[record.action];
}

function ofClass(record: ExportedRecord): Readonly<Record<string, unknown>> {
  const operation = operationOf(record.event_type);
  const src_endpoint = endpoint(record);
  const access = accessActs.get(operation);
  if (access !== undefined) {
    const user = targetOf(record);
    return {
      ...classed(operation, 3005, "User Access Management", access),
      user,
      privileges: [],
      src_endpoint,
    };
  }
  const account = accountChangeOf(record);
  if (account !== undefined) {
    return { ...classed(operation, 3001, "Account Change", account), user: targetOf(record), src_endpoint };
  }
  const event = eventClassOf(record);
  if (event === "change") {
    const entity = {
      uid: record.entity_id,
      type: record.entity_type,
      name: `${record.namespace}/${record.entity_type}/${record.entity_id}`,
      version: String(record.version),
    };
    return { ...classed(operation, 3004, "Entity Management", changes[record.action]), entity };
  }
  if (event === "call") {
    const api = { operation: record.event_type, service: { name: record.producer_service } };
    const activity = calls.get(operation) ?? otherActivity;
    return { ...classed(operation, 6003, "API Activity", activity), api, src_endpoint };
  }
  return {
    ...classed(operation, 3002, "Authentication", event === "login" ? [1, "Logon"] : [2, "Logoff"]),
    user: userOf(record),
    service: { name: record.producer_service },
    src_endpoint,
  };
}

/** An activity that the class has no number for has the name that it has here. */
const classed = (operation: string, classUid: number, className: string, [id, name]: Activity) => ({
  category_uid: Math.floor(classUid / 1000),
  category_name: classUid < 4000 ? "Identity & Access Management" : "Application Activity",
  class_uid: classUid,
  class_name: className,
  activity_id: id,
  activity_name: id === other ? operation : name,
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

/** The account or whatever else it happened to. */
const targetOf = (record: ExportedRecord) => ({
  uid: record.entity_id || "unknown",
  ...(isUser(record)
    ? { type_id: 1, type: "User" }
    : { type_id: other, type: record.entity_type || "Other" }),
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
