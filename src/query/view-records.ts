/** Rows of the store become records of an answer: keys and heads are looked up once for all of them. */
import { hash } from "node:crypto";
import { statusOf } from "../core/actions.ts";
import { LastroError } from "../core/errors.ts";
import type { Kid } from "../core/ids.ts";
import { parseRecordEntry, type RecordEntry } from "../core/leaf.ts";
import { activates, type RecordRow } from "../core/record.ts";
import { type HeadKey, headKeyText } from "../ports/record-store.ts";
import { type KeyOf, type OpenedBody, openBody, partsAgree } from "../privacy/open-body.ts";
import { alteredFields, type Hashes, rememberedHashes } from "./compare-columns.ts";
import type { QueryDeps } from "./deps.ts";
import { readContent } from "./read-content.ts";
import type { RecordContent, RecordView } from "./record-view.ts";

/** `undefined` stands for a row whose entry is not one that Lastro wrote for that record. */
export async function viewRecords(
  deps: QueryDeps,
  rows: readonly RecordRow[],
  signal: AbortSignal,
): Promise<readonly (RecordView | undefined)[]> {
  const entries = rows.map((row) => {
    const entry = parseRecordEntry(row.entry);
    return entry?.rid === row.rid ? entry : undefined;
  });
  const kids = entries.flatMap((entry) => entry?.parts.map(({ c, k }) => ({ class: c, kid: k })) ?? []);
  const changes = new Map<string, HeadKey>();
  for (const [i, { stream, kind }] of rows.entries()) {
    const entry = entries[i];
    // Of the others it is known that they are not active.
    if (kind !== "change" || entry === undefined || !activates(entry.action)) continue;
    changes.set(headKeyText({ stream, kind }), { stream, kind });
  }
  const [keys, heads] = await Promise.all([
    kids.length === 0 ? new Map<Kid, Uint8Array | "destroyed">() : deps.keys.forOpening(kids, signal),
    changes.size === 0 ? new Map<string, number>() : deps.history.headVersions([...changes.values()], signal),
  ]);
  const hashes = rememberedHashes(deps.lookup);
  return rows.map((row, i) => {
    const entry = entries[i];
    return entry === undefined ? undefined : viewOf(row, entry, heads, (_, kid) => keys.get(kid), hashes);
  });
}

/** The record of the one row; BODY_UNREADABLE when its entry is not one that Lastro wrote. */
export async function viewRecord(deps: QueryDeps, row: RecordRow, signal: AbortSignal): Promise<RecordView> {
  const [view] = await viewRecords(deps, [row], signal);
  if (view === undefined) {
    throw new LastroError(
      "BODY_UNREADABLE",
      `the entry of record ${row.rid} is not what was written; compare it with the log and restore it from a backup`,
    );
  }
  return view;
}

/** A body that does not open is a finding about this record, never a reason to withhold the others. */
function opened(row: RecordRow, entry: RecordEntry, keyOf: KeyOf): OpenedBody | undefined {
  try {
    const body = openBody(row.body, row.rid, keyOf);
    return partsAgree(body.parts, entry.parts) ? body : undefined;
  } catch (error) {
    if (error instanceof LastroError && error.code === "BODY_UNREADABLE") return undefined;
    throw error;
  }
}

function contentOfBody(
  body: OpenedBody | undefined,
): RecordContent | { readonly state: "erased" | "broken" } {
  if (body === undefined) return { state: "broken" };
  if (body.content === undefined) return { state: body.parts[0]?.state === "erased" ? "erased" : "broken" };
  // A key that is missing or does not open was not destroyed: its place in the event must not be told as erased.
  if (body.parts.some(({ state }) => state === "withheld")) return { state: "broken" };
  return readContent(body.content);
}

function viewOf(
  row: RecordRow,
  entry: RecordEntry,
  heads: ReadonlyMap<string, number>,
  keyOf: KeyOf,
  hashes: Hashes,
): RecordView {
  const body = opened(row, entry, keyOf);
  const content = contentOfBody(body);
  const told = "event" in content ? content : undefined;
  const altered = alteredFields(row, entry, told, hashes);
  // The head is looked up by the column: that it is this record's stream, the sealed entity says, or the alias where that was erased.
  const ofStream = told?.entityId === undefined ? row.alias === entry.alias : !altered.includes("stream");
  const isHead = ofStream && heads.get(headKeyText(row)) === entry.version;
  return {
    ...entry,
    entry: row.entry,
    leafHash: row.leafHash,
    content,
    isActive: entry.kind === "change" && isHead && activates(entry.action),
    flags: row.projection.flags,
    severity: row.projection.severity,
    resourceType: row.projection.resourceType,
    status: told === undefined ? row.projection.status : statusOf(entry.eventType, told.toldStatus),
    check: {
      leafHashMatches: hash("sha256", `\0${row.entry}`, "hex") === Buffer.from(row.leafHash).toString("hex"),
      bodyMatches: body !== undefined,
      alteredFields: altered,
    },
  };
}
