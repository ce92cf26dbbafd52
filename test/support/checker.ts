/** Compares what was published with what is stored: nothing lost, nothing doubled, no hole, every offset accounted for once. */
import { expect } from "@jest/globals";
import { parseRid } from "../../src/core/ids.ts";
import { leafHash, parseRecordEntry } from "../../src/core/leaf.ts";
import { activates, type RecordRow } from "../../src/core/record.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { KeyRing } from "../../src/ports/key-ring.ts";
import type { Store } from "../../src/ports/store.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { openBody, partsAgree } from "../../src/privacy/open-body.ts";
import { idOf, type Published } from "./published.ts";

const pageSize = 500;
const signal = new AbortController().signal;

export async function allRecords(store: Store): Promise<readonly RecordRow[]> {
  const records: RecordRow[] = [];
  for (;;) {
    const last = records.at(-1);
    const after = last === undefined ? undefined : { value: last.recordedAtMs, rid: last.rid };
    const order = { field: "recorded_at", direction: "asc" } as const;
    const page = await store.history.search({ conditions: [], order, after, limit: pageSize }, signal);
    records.push(...page);
    if (page.length < pageSize) return records;
  }
}

/** Throws, naming what is wrong, unless the store holds exactly what was published. */
export async function checkStore(store: Store, ring: KeyRing, published: Published): Promise<void> {
  const records = await allRecords(store);
  expect(new Set(records.map(({ rid }) => rid)).size).toBe(records.length);
  expect(new Set(records.map(({ uid }) => uid)).size).toBe(records.length);
  const stored = (await openedValues(store, ring, records)).map(idOf);
  expect({
    lost: [...published.ids].filter((id) => !stored.includes(id)),
    doubled: stored.filter((id, index) => stored.indexOf(id) !== index),
    invented: stored.filter((id) => !published.ids.has(id)),
  }).toEqual({ lost: [], doubled: [], invented: [] });
  checkStreams(records);
  await checkAccounts(store, records, published);
}

/** Bodies opened under the store's own keys, each held against its entry and leaf hash. */
async function openedValues(
  store: Store,
  ring: KeyRing,
  records: readonly RecordRow[],
): Promise<readonly string[]> {
  const keys = dataKeys({
    keys: store.keys,
    ring,
    now: () => performance.now(),
    random: () => new Uint8Array(),
  });
  const values: string[] = [];
  for (const record of records) {
    const entry = parseRecordEntry(record.entry);
    if (entry === undefined) throw new Error(`entry of ${record.rid} cannot be read`);
    const opening = await keys.forOpening(
      entry.parts.map(({ c, k }) => ({ class: c, kid: k })),
      signal,
    );
    const body = openBody(record.body, record.rid, (_, kid) => opening.get(kid));
    expect({
      rid: record.rid,
      leaf: Buffer.from(record.leafHash).equals(leafHash(sha256, record.entry)),
      parts: partsAgree(body.parts, entry.parts),
      version: entry.version,
      hidden: body.content?.hidden,
    }).toEqual({ rid: record.rid, leaf: true, parts: true, version: record.version, hidden: [] });
    values.push(Buffer.from(body.content?.value ?? []).toString("utf8"));
  }
  return values;
}

/** Versions 1, 2, 3 … in the order of the partition, one alias, at most the head active. */
function checkStreams(records: readonly RecordRow[]): void {
  const streams = Map.groupBy(records, ({ stream, kind }) => `${kind}:${stream}`);
  for (const [stream, unordered] of streams) {
    const rows = unordered.toSorted((a, b) => a.version - b.version);
    const offsets = offsetsBySource(rows);
    const head = rows.at(-1);
    expect({
      stream,
      versions: rows.map(({ version }) => version),
      aliases: new Set(rows.map(({ alias }) => alias)).size,
      offsets,
      active: rows.filter(({ isActive }) => isActive).map(({ version }) => version),
    }).toEqual({
      stream,
      versions: rows.map((_, index) => index + 1),
      aliases: 1,
      offsets: offsets.map((own) => own.toSorted((a, b) => a - b)),
      active: head !== undefined && activates(head.action) ? [head.version] : [],
    });
  }
}

/** Of each incarnation of the partition, in the order of the versions. */
const offsetsBySource = (rows: readonly RecordRow[]): readonly (readonly number[])[] => {
  const positions = rows.flatMap(({ rid }) => parseRid(rid) ?? []);
  return [...Map.groupBy(positions, ({ topicId }) => topicId).values()].map((own) =>
    own.map(({ offset }) => offset),
  );
};

async function checkAccounts(
  store: Store,
  records: readonly RecordRow[],
  published: Published,
): Promise<void> {
  const total = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  for (const { src, mark } of await store.records.sources(signal)) {
    const { counts, from, to } = await store.records.counts(src, 0, mark, signal);
    expect({ src, from, to }).toEqual({ src, from: 0, to: mark });
    for (const kind of Object.keys(total) as (keyof typeof total)[]) total[kind] += counts[kind];
    const own = records.filter(({ rid }) => rid.startsWith(`${src}.`));
    expect({ src, stored: counts.stored }).toEqual({ src, stored: own.length });
  }
  expect(total).toEqual({
    stored: published.ids.size,
    duplicate: published.duplicates,
    conflict: published.conflicts,
    rejected: published.rejected,
    gap: published.gaps ?? 0,
  });
}
