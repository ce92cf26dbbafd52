/** The columns that a search reads of each row it looks at, and no others. */
import { operationOf } from "../../core/actions.ts";
import { severities } from "../../core/event.ts";
import type { Filter } from "../../core/filter.ts";
import { fieldsOf, type ReadField } from "../../core/filter-holds.ts";
import {
  type FieldValue,
  type FilterField,
  isIndexedPath,
  type SearchField,
} from "../../core/search-fields.ts";
import { asOptionalText, integer, type Row, text } from "./columns.ts";
import { type Aside, kindOf } from "./record-row.ts";

type Reader = { readonly column: string; read(row: Row): FieldValue };

/** Columns that erasure clears are empty then. */
const textColumn = (column: string): Reader => ({
  column,
  read: (row) => asOptionalText(row[column], column) ?? "",
});
const numberColumn = (column: string): Reader => ({ column, read: (row) => integer(row, column) });
const inAside = (read: (aside: Aside) => FieldValue): Reader => ({
  column: "aside",
  read: (row) => read(JSON.parse(text(row, "aside"))),
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
    column: "event_type",
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
};

const readerOf = (field: FilterField): Reader =>
  isIndexedPath(field) ? inAside(({ indexed }) => indexed[field] ?? "") : readers[field];

export const searchColumns = (filter: Filter): readonly string[] => [
  ...new Set([
    "id",
    "position",
    "recorded_at",
    "action_at",
    ...fieldsOf(filter).map((field) => readerOf(field).column),
  ]),
];
export const valuesOf =
  (row: Row): ReadField =>
  (field) =>
    readerOf(field).read(row);
