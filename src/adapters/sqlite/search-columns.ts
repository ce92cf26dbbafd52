/** The columns that a search reads of each row it looks at, and no others. */
import { operationOf } from "../../core/actions.ts";
import { severities } from "../../core/event.ts";
import type { ReadField } from "../../core/filter-holds.ts";
import {
  type FieldValue,
  type FilterField,
  isIndexedPath,
  type SearchField,
} from "../../core/search-fields.ts";
import { asOptionalText, integer, type Row, text } from "./columns.ts";
import { type Aside, kindOf } from "./record-row.ts";

type Reader = { readonly column: string; read(row: Row, aside: () => Aside): FieldValue | undefined };

/** Of the record's text; null while it is not indexed. */
export const termsColumn = "texts.terms AS terms";

/** Columns that erasure clears are empty then. */
const textColumn = (column: string): Reader => ({
  column: `records.${column}`,
  read: (row) => asOptionalText(row[column], column) ?? "",
});
const numberColumn = (column: string): Reader => ({
  column: `records.${column}`,
  read: (row) => integer(row, column),
});
const inAside = (read: (aside: Aside) => FieldValue): Reader => ({
  column: "aside",
  read: (_row, aside) => read(aside()),
});

const readers: Readonly<Record<SearchField, Reader>> = {
  tenant: textColumn("tenant"),
  namespace: textColumn("namespace"),
  entity_type: textColumn("entity_type"),
  entity_id: textColumn("entity_id"),
  kind: { column: "kind", read: kindOf },
  version: numberColumn("version"),
  event_type: textColumn("event_type"),
  action: textColumn("action"),
  operation: {
    column: "records.event_type",
    read: (row) => operationOf(asOptionalText(row["event_type"], "event_type") ?? ""),
  },
  active: { column: "is_active", read: (row) => integer(row, "is_active") === 1 },
  severity: inAside(({ severity }) => severities.indexOf(severity)),
  status: inAside(({ status }) => status ?? ""),
  resource_type: inAside(({ resourceType }) => resourceType ?? ""),
  producer_service: textColumn("producer_service"),
  trace_id: textColumn("trace_id"),
  owner_id: textColumn("owner_id"),
  owner_ip: inAside(({ ip }) => ip ?? ""),
  owner_role: inAside(({ role }) => role),
  owner_type: inAside(({ type }) => type),
  ownership_id: textColumn("ownership_id"),
  flags: inAside(({ flags }) => flags),
  action_at: numberColumn("action_at"),
  recorded_at: numberColumn("recorded_at"),
  text: { column: termsColumn, read: (row) => termsOf(asOptionalText(row["terms"], "terms")) },
};
const termsOf = (terms: string | undefined): readonly string[] | undefined =>
  terms === "" ? [] : terms?.split(" ");

const readerOf = (field: FilterField): Reader =>
  isIndexedPath(field) ? inAside(({ indexed }) => indexed[field] ?? "") : readers[field];

/** Those that say where a record lies, and those of the fields. */
export const searchColumns = (fields: readonly FilterField[]): readonly string[] => [
  ...new Set([
    "records.id",
    "records.position",
    "records.recorded_at",
    "records.action_at",
    ...fields.map((field) => readerOf(field).column),
  ]),
];
/** What lies together as JSON is read once for all fields. */
export function valuesOf(row: Row): ReadField {
  let known: Aside | undefined;
  const aside = (): Aside => {
    known ??= JSON.parse(text(row, "aside")) as Aside;
    return known;
  };
  return (field) => readerOf(field).read(row, aside);
}
