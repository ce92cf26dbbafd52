/** A record as exports tell it: only what never changes, so that the same records are the same bytes. */
import { verbOf } from "./actions.ts";
import type { Severity, Status } from "./event.ts";

export type ExportedRecord = {
  readonly log_index: number;
  readonly rid: string;
  readonly recorded_at: string;
  /** Empty texts below: erased, or not given. */
  readonly action_at: string;
  readonly kind: "change" | "activity";
  readonly action: "none" | "new" | "update" | "delete" | "disable" | "enable";
  readonly version: number;
  readonly event_type: string;
  readonly tenant: string;
  readonly namespace: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly producer_service: string;
  readonly producer_service_id: string;
  readonly trace_id: string;
  readonly owner_id: string;
  readonly owner_ip: string;
  readonly owner_role: string;
  readonly owner_type: string;
  readonly ownership_id: string;
  readonly severity: Severity;
  readonly flags: readonly string[];
  readonly leaf_hash: string;
  readonly body_state: "complete" | "masked" | "partly_erased" | "erased" | "broken";
  /** JSON text as the producer sent it, in one line. */
  readonly event: string;
  /** How the act ended, as all other answers tell it. */
  readonly status: Status;
};

/** In this order, in CSV too; a new one is put at the end. */
export const exportedFields = [
  "log_index", "rid", "recorded_at", "action_at", "kind", "action", "version", "event_type", "tenant", "namespace",
  "entity_type", "entity_id", "producer_service", "producer_service_id", "trace_id", "owner_id", "owner_ip",
  "owner_role", "owner_type", "ownership_id", "severity", "flags", "leaf_hash", "body_state", "event", "status",
] as const satisfies readonly (keyof ExportedRecord)[]; // biome-ignore format: a list

/** In JSON text line ends stand between values only: a space means the same. */
export const inOneLine = (json: string): string => json.replaceAll(/[\n\r]/g, " ");

/** One JSON object; the event goes in as it is, so its numbers keep their digits. */
export function exportedJson(record: ExportedRecord, more: Readonly<Record<string, unknown>> = {}): string {
  const { event, ...rest } = record;
  const text = JSON.stringify({ ...more, ...rest });
  return event === "" ? text : `${text.slice(0, -1)},"event":${event}}`;
}

/** The object with a member `name` that holds the record. */
export const withRecord = (object: object, name: string, record: ExportedRecord): string =>
  `${JSON.stringify(object).slice(0, -1)},"${name}":${exportedJson(record)}}`;

const activityClasses: ReadonlyMap<string, "login" | "logout"> = new Map([
  ["login", "login"], ["logged_in", "login"], ["signin", "login"], ["signed_in", "login"],
  ["login_failed", "login"], ["logout", "logout"], ["logged_out", "logout"], ["signed_out", "logout"],
]); // biome-ignore format: a table

export type EventClass = "change" | "login" | "logout" | "call";

/** What a record is to a SIEM. */
export const eventClassOf = ({ kind, event_type }: ExportedRecord): EventClass =>
  kind === "change" ? "change" : (activityClasses.get(verbOf(event_type)) ?? "call");

const outcomes = { SUCCESS: "success", FAILURE: "failure", PENDING: "unknown" } as const;

/** In the words of ECS and CEF; of what is pending nobody knows yet. */
export const outcomeOf = ({ status }: ExportedRecord): (typeof outcomes)[Status] => outcomes[status];
