/** Records as lines for a SIEM: Common Event Format and syslog (RFC 5424). Control characters never get into a line as they are. */
import { type ExportedRecord, outcomeOf } from "./exported-record.ts";
import { lineText } from "./line-text.ts";

const cefSeverities = { LOW: 3, MEDIUM: 5, HIGH: 8, CRITICAL: 10 } as const;
/** Facility 13 (log audit) × 8 + severity: informational, notice, warning, critical. */
const priorities = { LOW: 110, MEDIUM: 109, HIGH: 108, CRITICAL: 106 } as const;

const cefHeader = (text: string): string => lineText(text.replaceAll("\\", "\\\\").replaceAll("|", "\\|"));
const cefValue = (text: string): string =>
  lineText(
    text.replaceAll("\\", "\\\\").replaceAll("=", "\\=").replaceAll("\r", "\\r").replaceAll("\n", "\\n"),
  );

export function cefLine(record: ExportedRecord): string {
  const extension: readonly (readonly [string, string])[] = [
    ["rt", String(Date.parse(record.recorded_at))],
    ["start", record.action_at === "" ? "" : String(Date.parse(record.action_at))],
    ["externalId", record.rid],
    ["act", record.action],
    ["outcome", outcomeOf(record)],
    ["suid", record.owner_id],
    ["spriv", record.owner_role],
    ["src", record.owner_ip],
    ["sourceServiceName", record.producer_service],
    ["cs1", record.trace_id], ["cs1Label", "traceId"],
    ["cs2", `${record.namespace}/${record.entity_type}/${record.entity_id}`], ["cs2Label", "entity"],
    ["cs3", record.tenant], ["cs3Label", "tenant"],
    ["cs4", record.ownership_id], ["cs4Label", "ownershipId"],
    ["cs5", record.leaf_hash], ["cs5Label", "leafHash"],
    ["cn1", String(record.log_index)], ["cn1Label", "logIndex"],
    ["cn2", String(record.version)], ["cn2Label", "version"],
    ["msg", record.event],
  ]; // biome-ignore format: a table
  const head = [
    "CEF:0", "Lastro", "Lastro", "1", cefHeader(record.event_type), cefHeader(record.event_type),
    String(cefSeverities[record.severity]),
  ]; // biome-ignore format: a list
  const told = extension.filter(([, value]) => value !== "");
  return `${head.join("|")}|${told.map(([key, value]) => `${key}=${cefValue(value)}`).join(" ")}\n`;
}

/** PRINTUSASCII without spaces, at most so many characters. */
const headerWord = (text: string, charactersMax: number): string =>
  text.replaceAll(/[^\x21-\x7e]/g, "_").slice(0, charactersMax) || "-";
const paramValue = (text: string): string => lineText(text).replaceAll(/["\\\]]/g, "\\$&");

export function syslogLine(record: ExportedRecord): string {
  const params: readonly (readonly [string, string])[] = [
    ["rid", record.rid],
    ["index", String(record.log_index)],
    ["leafHash", record.leaf_hash],
    ["tenant", record.tenant],
    ["entity", `${record.namespace}/${record.entity_type}/${record.entity_id}`],
    ["version", String(record.version)],
    ["action", record.action],
    ["ownerId", record.owner_id],
    ["ownerIp", record.owner_ip],
    ["traceId", record.trace_id],
    ["actionAt", record.action_at],
    ["status", record.status],
  ];
  // 32473 is the enterprise number that RFC 5612 keeps for names like this one.
  const data = params
    .filter(([, value]) => value !== "")
    .map(([name, value]) => ` ${name}="${paramValue(value)}"`)
    .join("");
  const head = [
    `<${priorities[record.severity]}>1`,
    record.recorded_at,
    "-",
    headerWord(record.producer_service, 48),
    "-",
    headerWord(record.event_type, 32),
  ].join(" ");
  const message = lineText(record.event);
  return `${head} [lastro@32473${data}]${message === "" ? "" : ` ${message}`}\n`;
}
