/** Who owns what: the facts of the ownerships documents, folded in and read back. */
import type { DatabaseSync } from "node:sqlite";
import type { OwnershipKey } from "../../core/ids.ts";
import type { OwnershipDocument, OwnershipListing } from "../../ports/history-reader.ts";
import { type OwnershipFacts, ownershipNamesMax } from "../../ports/record-store.ts";
import { optionalInteger, optionalText, type Row, text } from "./columns.ts";

const columns =
  "id, tenant, ownership_id, state, first_event_at, last_event_at, producers, legal_bases, purposes, retain_until";

const list = (row: Row, column: string): readonly string[] => JSON.parse(text(row, column));

/** One name above what readers are shown is kept: it tells that there were more. */
const namesKept = ownershipNamesMax + 1;

type Stored = Omit<OwnershipDocument, "namesTruncated">;

const storedOf = (row: Row): Stored => ({
  ownership: text(row, "id") as OwnershipKey,
  tenant: text(row, "tenant"),
  ownershipId: optionalText(row, "ownership_id"),
  state: text(row, "state") as OwnershipDocument["state"],
  firstEventAtMs: optionalInteger(row, "first_event_at"),
  lastEventAtMs: optionalInteger(row, "last_event_at"),
  producers: list(row, "producers"),
  legalBases: list(row, "legal_bases"),
  purposes: list(row, "purposes"),
  retainUntilMs: optionalInteger(row, "retain_until"),
});

function documentOf(row: Row): OwnershipDocument {
  const stored = storedOf(row);
  const { producers, legalBases, purposes } = stored;
  if ([producers, legalBases, purposes].every((names) => names.length < namesKept)) return stored;
  const shown = (names: readonly string[]) => names.slice(0, ownershipNamesMax);
  return {
    ...stored,
    producers: shown(producers),
    legalBases: shown(legalBases),
    purposes: shown(purposes),
    namesTruncated: true,
  };
}

const union = (a: readonly string[], b: readonly string[]): string =>
  JSON.stringify([...new Set([...a, ...b])].slice(0, namesKept));

/** Folds facts into their document; one that is fenced or erased stays as it is. Within a transaction. */
export function openFacts(db: DatabaseSync): (facts: OwnershipFacts) => void {
  const read = db.prepare(`SELECT ${columns} FROM ownerships WHERE id = ?`);
  const insert = db.prepare(`INSERT INTO ownerships (${columns}) VALUES (?, ?, ?, 'live', ?, ?, ?, ?, ?, ?)`);
  const update = db.prepare(
    "UPDATE ownerships SET first_event_at = ?, last_event_at = ?, producers = ?, legal_bases = ?, purposes = ?, retain_until = ? WHERE id = ?",
  );
  return (facts) => {
    const row = read.get(facts.ownership);
    const before = row && storedOf(row);
    if (before?.state === "fenced" || before?.state === "erased") return;
    const folded = [
      Math.min(before?.firstEventAtMs ?? facts.firstEventAtMs, facts.firstEventAtMs),
      Math.max(before?.lastEventAtMs ?? facts.lastEventAtMs, facts.lastEventAtMs),
      union(before?.producers ?? [], facts.producers),
      union(before?.legalBases ?? [], facts.legalBases),
      union(before?.purposes ?? [], facts.purposes),
      laterOf(before?.retainUntilMs, facts.retainUntilMs),
    ] as const;
    if (before === undefined) insert.run(facts.ownership, facts.tenant, facts.ownershipId, ...folded);
    else update.run(...folded, facts.ownership);
  };
}

const laterOf = (a: number | undefined, b: number | undefined): number | null =>
  a === undefined ? (b ?? null) : Math.max(a, b ?? a);

export function openOwnerships(db: DatabaseSync) {
  const one = db.prepare(`SELECT ${columns} FROM ownerships WHERE id = ?`);
  const all = db.prepare(`SELECT ${columns} FROM ownerships WHERE id > ? ORDER BY id LIMIT ?`);
  const ofTenant = db.prepare(
    `SELECT ${columns} FROM ownerships WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`,
  );
  return {
    read(key: OwnershipKey): OwnershipDocument | undefined {
      const row = one.get(key);
      return row && documentOf(row);
    },
    list({ tenant, after = "" as OwnershipKey, limit }: OwnershipListing): readonly OwnershipDocument[] {
      const rows = tenant === undefined ? all.all(after, limit) : ofTenant.all(tenant, after, limit);
      return rows.map(documentOf);
    },
  };
}
