/** For a check where the keys live: opens bodies, holds them against their commitments, and makes every search aid anew to compare it. */
import { isDeepStrictEqual } from "node:util";
import type { Catalogue } from "../core/catalogue.ts";
import { classify } from "../core/entity.ts";
import { parseEvent } from "../core/envelope.ts";
import { LastroError } from "../core/errors.ts";
import type { EventHeader, SourceEvent } from "../core/event.ts";
import type { Finding } from "../core/findings.ts";
import type { Kid, Rid } from "../core/ids.ts";
import { parseRecordEntry, type RecordEntry } from "../core/leaf.ts";
import { defaultParseOptions, type ParseOptions, valueBytesHardMax } from "../core/parse-options.ts";
import { projectionOf } from "../core/projection.ts";
import { activates, type RecordRow } from "../core/record.ts";
import type { HistoryReader } from "../ports/history-reader.ts";
import { headKeyText } from "../ports/record-store.ts";
import type { SearchIndex } from "../ports/search-index.ts";
import type { DataKeys } from "../privacy/data-keys.ts";
import type { LookupKey } from "../privacy/lookup-key.ts";
import { type OpenedBody, openBody, partsAgree } from "../privacy/open-body.ts";
import { alteredFields, type Hashes, rememberedHashes } from "./compare-columns.ts";
import { contentTerms } from "./content-terms.ts";
import { readContent } from "./read-content.ts";

export type CheckBodiesDeps = {
  readonly history: Pick<HistoryReader, "headVersions">;
  readonly keys: Pick<DataKeys, "forOpening">;
  readonly lookup: LookupKey;
  readonly catalogue: Catalogue;
  readonly catalogueDigest: string;
  /** Terms in the search index; undefined: it was made by other rules than those of the catalogue. */
  readonly textsOf: SearchIndex["texts"] | undefined;
};

type Given = { readonly row: RecordRow | undefined };
/** What the store says of several records at once. */
type Around = {
  readonly keys: ReadonlyMap<Kid, Uint8Array | "destroyed">;
  readonly heads: ReadonlyMap<string, number>;
  readonly texts: ReadonlyMap<Rid, readonly string[]>;
};

export function checkBodies(deps: CheckBodiesDeps) {
  const hashes = rememberedHashes(deps.lookup);
  return async (records: readonly Given[], signal: AbortSignal): Promise<readonly Finding[]> => {
    const given = records.flatMap(({ row }) => {
      const entry = row === undefined || row.body.length === 0 ? undefined : parseRecordEntry(row.entry);
      return row === undefined || entry === undefined || entry.rid !== row.rid ? [] : [{ row, entry }];
    });
    const kids = given.flatMap(({ entry }) => entry.parts.map(({ c, k }) => ({ class: c, kid: k })));
    const changes = given.filter(({ row }) => row.kind === "change").map(({ row }) => row);
    const rids = given.map(({ row }) => row.rid);
    const [keys, heads, texts = new Map()] = await Promise.all([
      deps.keys.forOpening(kids, signal),
      deps.history.headVersions(changes, signal),
      deps.textsOf?.(rids, signal),
    ]);
    return given.flatMap(({ row, entry }) => checkBody(deps, hashes, row, entry, { keys, heads, texts }));
  };
}

function checkBody(
  deps: CheckBodiesDeps,
  hashes: Hashes,
  row: RecordRow,
  entry: RecordEntry,
  around: Around,
): readonly Finding[] {
  const object = { kind: "record", rid: row.rid } as const;
  const body = opened(row, around.keys);
  if (body === undefined || !partsAgree(body.parts, entry.parts))
    return [{ code: "BODY_CHANGED", object, detail: "it does not open to what its entry commits to" }];
  const findings: Finding[] = [];
  if (body.parts.some(({ state }) => state === "withheld")) {
    const detail =
      "the key of a part of it is in no document, or does not open under its KEK: restore its document";
    findings.push({ code: "BODY_CLOSED", object, detail });
  }
  if (body.content === undefined) return findings;
  const names = alteredAids(deps, hashes, row, entry, body.content, around.heads);
  if (names.length > 0) {
    const detail = `search aids differ from its body: ${names.join(", ")}`;
    findings.push({ code: "PROJECTION_CHANGED", object, detail });
  }
  const texts = around.texts.get(row.rid);
  if (texts !== undefined && !areTermsOf(deps, entry, body.content, texts)) {
    const detail = "it is indexed by other words than its body has; make the index anew: lastro reindex";
    findings.push({ code: "INDEX_CHANGED", object, detail });
  }
  return findings;
}

/** Of a body of which a part is gone nobody knows the words. */
function areTermsOf(
  { catalogue }: CheckBodiesDeps,
  { eventType }: RecordEntry,
  content: Content,
  terms: readonly string[],
): boolean {
  if (content.hidden.length > 0) return true;
  const made = contentTerms(catalogue, eventType, readContent(content));
  return isDeepStrictEqual(new Set(terms), new Set(made));
}

function opened(row: RecordRow, keys: ReadonlyMap<Kid, Uint8Array | "destroyed">): OpenedBody | undefined {
  try {
    return openBody(row.body, row.rid, (_, kid) => keys.get(kid));
  } catch (error) {
    if (error instanceof LastroError && error.code === "BODY_UNREADABLE") return undefined;
    throw error;
  }
}

type Content = NonNullable<OpenedBody["content"]>;

function alteredAids(
  deps: CheckBodiesDeps,
  hashes: Hashes,
  row: RecordRow,
  entry: RecordEntry,
  content: Content,
  heads: ReadonlyMap<string, number>,
): readonly string[] {
  const isHead = heads.get(headKeyText(row)) === entry.version;
  const isActive = entry.kind === "change" && isHead && activates(entry.action);
  const active = row.isActive === isActive ? [] : ["is_active"];
  const whole = content.hidden.length === 0 && content.meta.catalogue === deps.catalogueDigest;
  const names =
    (whole ? remade(deps, row, entry, content) : undefined) ??
    alteredFields(row, entry, readContent(content), hashes);
  return [...names, ...active];
}

/** Generous, so that what was accepted under other bounds is read again. */
const parseOptions = (nowMs: number): ParseOptions => ({
  ...defaultParseOptions,
  limits: { ...defaultParseOptions.limits, valueBytesMax: valueBytesHardMax },
  nowMs,
});

/** Flags that depend on when the event came. */
const momentary: ReadonlySet<string> = new Set(["late", "clock_skew"]);

/** Makes the columns from the event as intake did, under the same catalogue. Undefined where the event is not accepted under today's bounds. */
function remade(
  { lookup, catalogue }: CheckBodiesDeps,
  row: RecordRow,
  { recordedAtMs }: RecordEntry,
  content: Content,
): readonly string[] | undefined {
  const parsed = parseEvent(eventOf(content), parseOptions(recordedAtMs));
  const classified = parsed.ok ? classify(parsed.envelope, catalogue) : undefined;
  if (!parsed.ok || classified?.ok !== true) return undefined;
  const { envelope } = parsed;
  const { tenant, ownershipId } = envelope;
  const { entity } = classified.classification;
  const fingerprint = lookup.fingerprint(envelope.canonical);
  const { flags, ...projection } = projectionOf(envelope, classified.classification);
  const lasting = (all: readonly string[]): readonly string[] => all.filter((flag) => !momentary.has(flag));
  const { flags: storedFlags, ...stored } = row.projection;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["uid", row.uid, lookup.uid(tenant, envelope.producerService, envelope.identity, fingerprint)],
    ["fingerprint", row.fingerprint, fingerprint],
    ["stream", row.stream, lookup.stream(tenant, entity.namespace, entity.type, entity.id)],
    [
      "ownership",
      row.ownership,
      ownershipId === undefined ? undefined : lookup.ownership(tenant, ownershipId),
    ],
    ["flags", lasting(storedFlags).toSorted(), lasting(flags).toSorted()],
    ...Object.entries(projection).map(
      ([name, value]) => [name, stored[name as keyof typeof stored], value] as const,
    ),
  ];
  return pairs.filter(([, column, made]) => !isDeepStrictEqual(column, made)).map(([name]) => name);
}

function eventOf({ value, meta }: Content): SourceEvent {
  const bytes = (text: string | null): Uint8Array | null =>
    text === null ? null : Buffer.from(text, "base64url");
  return {
    offset: 0,
    key: bytes(meta.key),
    value,
    headers: meta.headers.map(([key, text]): EventHeader => [key, bytes(text)]),
    timestampMs: meta.kafka_ts,
  };
}
