/** The formats of exports: what stands before the records, between them and behind them. */
import { csvLine } from "./csv.ts";
import { ecsJson } from "./ecs.ts";
import { type ExportedRecord, exportedFields, exportedJson } from "./exported-record.ts";
import { ocsfJson } from "./ocsf.ts";
import { cefLine, syslogLine } from "./siem-lines.ts";

export type RecordFormat = {
  readonly extension: string;
  readonly head: string;
  readonly between: string;
  readonly foot: string;
  text(record: ExportedRecord): string;
};

/** Raised whenever what is written of a record changes: an export is of one version from its first line to its last. */
export const formatsVersion = 3;

const lines = (extension: string, text: RecordFormat["text"]): RecordFormat => ({
  extension,
  head: "",
  between: "",
  foot: "",
  text,
});

const cellOf = (value: ExportedRecord[keyof ExportedRecord]): string | number =>
  typeof value === "object" ? value.join(" ") : value;

export const recordFormats = {
  ndjson: lines("ndjson", (record) => `${exportedJson(record)}\n`),
  json: {
    extension: "json",
    head: "[\n",
    between: ",\n",
    foot: "\n]\n",
    text: (record) => exportedJson(record),
  },
  csv: {
    ...lines("csv", (record) => csvLine(exportedFields.map((field) => cellOf(record[field])))),
    head: csvLine(exportedFields),
  },
  ocsf: lines("ndjson", (record) => `${ocsfJson(record)}\n`),
  ecs: lines("ndjson", (record) => `${ecsJson(record)}\n`),
  cef: lines("cef", cefLine),
  syslog: lines("log", syslogLine),
} as const satisfies Readonly<Record<string, RecordFormat>>;

export type ExportFormat = keyof typeof recordFormats | "evidence";
