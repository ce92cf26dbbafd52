/** Wrapped data keys: documents of class `s` are the ownerships, the others lie in `key_documents`; every key is a row of `data_keys`. */
import type { DatabaseSync } from "node:sqlite";
import { assertNever } from "../../core/errors.ts";
import type { Kid } from "../../core/ids.ts";
import type { KeyClass, KeyDocument, KeyRef, KeyState, KeyStore, WrappedKey } from "../../ports/key-store.ts";
import { b64, blob, integer, optionalText, type Row, text, toBytes } from "./columns.ts";
import { storeCall } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

const keyOf = (row: Row): WrappedKey => ({
  kid: b64(row, "kid") as Kid,
  revision: integer(row, "revision"),
  kek: integer(row, "kek"),
  wrapped: row["wrapped"] === null ? null : blob(row, "wrapped"),
});

function clearOf(keyClass: KeyClass, row: Row): KeyDocument["clear"] {
  const tenant = text(row, "tenant");
  switch (keyClass) {
    case "s":
      return { tenant, ownershipId: optionalText(row, "name") };
    case "p":
      return { tenant, producerService: text(row, "name") };
    case "a":
      return { tenant, month: text(row, "name") };
    default:
      return assertNever(keyClass);
  }
}

/** The document's name, whatever its class calls it. */
const nameOf = ({ clear }: KeyDocument): string | null => {
  if ("ownershipId" in clear) return clear.ownershipId ?? null;
  return "month" in clear ? clear.month : clear.producerService;
};

function openRead(db: DatabaseSync) {
  const subject = db.prepare("SELECT state, tenant, ownership_id AS name FROM ownerships WHERE id = ?");
  const other = db.prepare("SELECT state, tenant, name FROM key_documents WHERE class = ? AND id = ?");
  const keys = db.prepare(
    "SELECT kid, revision, kek, wrapped FROM data_keys WHERE class = ? AND document = ? ORDER BY revision",
  );
  const document = (ref: KeyRef): KeyDocument | undefined => {
    const row = ref.class === "s" ? subject.get(ref.id) : other.get(ref.class, ref.id);
    return (
      row && {
        class: ref.class,
        id: ref.id,
        state: text(row, "state") as KeyState,
        keys: keys.all(ref.class, ref.id).map(keyOf),
        clear: clearOf(ref.class, row),
      }
    );
  };
  /** Each document once. */
  return (refs: readonly KeyRef[]): readonly KeyDocument[] =>
    [...new Map(refs.map((ref) => [`${ref.class} ${ref.id}`, ref])).values()]
      .map(document)
      .filter((found) => found !== undefined);
}

function openCreate(db: DatabaseSync) {
  const subject = db.prepare(
    "INSERT INTO ownerships (id, tenant, ownership_id, state, producers, legal_bases, purposes) VALUES (?, ?, ?, ?, '[]', '[]', '[]') ON CONFLICT (id) DO NOTHING",
  );
  const other = db.prepare(
    "INSERT INTO key_documents (class, id, tenant, name, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT (class, id) DO NOTHING",
  );
  const key = db.prepare(
    "INSERT INTO data_keys (class, document, kid, revision, kek, wrapped) VALUES (?, ?, ?, ?, ?, ?)",
  );
  return (document: KeyDocument): void => {
    const { class: keyClass, id, clear, state } = document;
    const rest = [clear.tenant, nameOf(document), state] as const;
    const { changes } = keyClass === "s" ? subject.run(id, ...rest) : other.run(keyClass, id, ...rest);
    if (changes === 0) return;
    for (const { kid, revision, kek, wrapped } of document.keys)
      key.run(keyClass, id, toBytes(kid), revision, kek, wrapped);
  };
}

/** Whether the document of a row of `data_keys` may be worked on. */
const isOpen = `state IN ('live', 'blocked')`;
const documentIsOpen = `CASE class
  WHEN 's' THEN EXISTS (SELECT 1 FROM ownerships WHERE id = document AND ${isOpen})
  ELSE EXISTS (SELECT 1 FROM key_documents AS d WHERE d.class = data_keys.class AND d.id = document AND ${isOpen}) END`;

const refOf = (row: Row): KeyRef => ({ class: text(row, "class") as KeyClass, id: text(row, "document") });

export type KeyWrites = Pick<KeyStore, "create" | "rewrap">;
export type KeyReads = Omit<KeyStore, keyof KeyWrites>;

export function writeKeys(db: DatabaseSync, commit: GroupCommit): KeyWrites {
  const create = openCreate(db);
  const rewrap = db.prepare(
    `UPDATE data_keys SET kek = ?, wrapped = ? WHERE class = ? AND kid = ? AND document = ? AND wrapped = ? AND ${documentIsOpen}`,
  );
  return {
    create: (documents, signal) => commit(signal, documents.length, () => documents.forEach(create)),
    rewrap: (ref, kid, from, to, signal) =>
      storeCall(
        signal,
        () => rewrap.run(to.kek, to.wrapped, ref.class, toBytes(kid), ref.id, from).changes === 1,
      ),
  };
}

export function readKeys(db: DatabaseSync): KeyReads {
  const read = openRead(db);
  const wrappedBy = (sign: "<" | ">") =>
    `SELECT class, document FROM data_keys WHERE wrapped IS NOT NULL AND kek ${sign} ?1 AND ${documentIsOpen}`;
  const notUnder = db.prepare(
    `SELECT DISTINCT class, document FROM (${wrappedBy("<")} UNION ALL ${wrappedBy(">")}) LIMIT ?2`,
  );
  const byKid = db.prepare("SELECT class, document FROM data_keys WHERE class = ? AND kid = ?");
  return {
    read: (refs, signal) => storeCall(signal, () => read(refs)),
    notUnder: (kek, limit, signal) => storeCall(signal, () => read(notUnder.all(kek, limit).map(refOf))),
    byKid: (kids, signal) =>
      storeCall(signal, () =>
        read(
          kids
            .map((key) => byKid.get(key.class, toBytes(key.kid)))
            .filter((row) => row !== undefined)
            .map(refOf),
        ),
      ),
  };
}
