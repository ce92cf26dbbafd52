/** Records in the Elastic Common Schema: what it has a field for there, the whole record under `lastro`. */
import { type ExportedRecord, eventClassOf, outcomeOf, withRecord } from "./exported-record.ts";

const ecsVersion = "8.17.0";
const severities = { LOW: 21, MEDIUM: 47, HIGH: 73, CRITICAL: 99 } as const;
const changeTypes = {
  new: ["creation"],
  update: ["change"],
  delete: ["deletion"],
  enable: ["change"],
  disable: ["change"],
  none: ["info"],
} as const;

function categoryOf(record: ExportedRecord) {
  const event = eventClassOf(record);
  if (event === "change") return { category: ["configuration"], type: changeTypes[record.action] };
  if (event === "call") return { category: ["api"], type: ["access"] };
  return { category: ["authentication"], type: [event === "login" ? "start" : "end"] };
}

export function ecsJson(record: ExportedRecord): string {
  const { owner_id, owner_ip, owner_role, trace_id } = record;
  return withRecord(
    {
      "@timestamp": record.action_at === "" ? record.recorded_at : record.action_at,
      ecs: { version: ecsVersion },
      event: {
        kind: "event",
        ...categoryOf(record),
        action: record.event_type,
        outcome: outcomeOf(record),
        id: record.rid,
        ingested: record.recorded_at,
        sequence: record.log_index,
        severity: severities[record.severity],
        dataset: "lastro.audit",
        module: "lastro",
      },
      service: { name: record.producer_service },
      organization: { id: record.tenant },
      ...((owner_id !== "" || owner_role !== "") && {
        user: { ...(owner_id !== "" && { id: owner_id }), ...(owner_role !== "" && { roles: [owner_role] }) },
      }),
      ...(owner_ip !== "" && { source: { ip: owner_ip } }),
      ...(trace_id !== "" && { trace: { id: trace_id } }),
      labels: { entity_type: record.entity_type, entity_id: record.entity_id },
    },
    "lastro",
    record,
  );
}
