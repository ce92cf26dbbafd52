/** Compares what was published with what is stored, by promise: P1 nothing lost, P2 nothing doubled, P3 order without holes, P4 one active record, P5 the dead letters whole; and what is known of the owners of the data. */
import type { StoredRecord } from "../../src/adapters/platformatic-kafka/record-reader.ts";
import { parseRid } from "../../src/core/ids.ts";
import { leafHash, parseRecordEntry } from "../../src/core/leaf.ts";
import { activates, type RecordRow } from "../../src/core/record.ts";
import type { SearchPlace } from "../../src/core/search-walk.ts";
import { sha256 } from "../../src/lib/sha256.ts";
import type { KeyRing } from "../../src/ports/key-ring.ts";
import type { Store } from "../../src/ports/store.ts";
import { dataKeys } from "../../src/privacy/data-keys.ts";
import { openBody, partsAgree } from "../../src/privacy/open-body.ts";
import { accountProblems } from "./account-checker.ts";
import { allOf } from "./filters.ts";
import { letterProblems } from "./letter-checker.ts";
import { allOwnerships, noteOwned, type Owners, ownedEvent, ownerProblems } from "./owner-facts.ts";
import { idOf, type Published } from "./published.ts";

/** What is wrong, each in a few words that say where. */
export type Problems = {
  /** P1 */
  readonly lost: readonly string[];
  readonly invented: readonly string[];
  /** Bodies, entries and leaf hashes that do not agree. */
  readonly unsound: readonly string[];
  /** P1: offsets without an outcome, or with another one than they should have. */
  readonly accounts: readonly string[];
  /** P2 */
  readonly doubled: readonly string[];
  /** P3 */
  readonly holes: readonly string[];
  /** P4 */
  readonly active: readonly string[];
  /** P5 */
  readonly letters: readonly string[];
  /** Ownerships that say less than their events do, or more. */
  readonly owners: readonly string[];
};

export const noProblems: Problems = {
  lost: [],
  invented: [],
  unsound: [],
  accounts: [],
  doubled: [],
  holes: [],
  active: [],
  letters: [],
  owners: [],
};

const pageSize = 500;
const signal = new AbortController().signal;

async function* recordPages(store: Store): AsyncGenerator<readonly RecordRow[]> {
  const order = { field: "recorded_at", direction: "asc" } as const;
  let after: SearchPlace | undefined;
  do {
    const search = { filter: allOf(), order, after, limit: pageSize, scanMax: pageSize };
    const { rows, next } = await store.history.search(search, signal);
    yield rows;
    after = next;
  } while (after !== undefined);
}

export async function allRecords(store: Store): Promise<readonly RecordRow[]> {
  const records: RecordRow[] = [];
  for await (const page of recordPages(store)) records.push(...page);
  return records;
}

/** What a record says of its stream, small enough to keep of millions. */
type Place = {
  readonly version: number;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
};
type Stream = {
  readonly aliases: Set<string>;
  readonly places: Place[];
  readonly active: number[];
  head: RecordRow;
};

/** Holds a page of records at a time, so that it can look through millions. */
export async function inspectStore(
  store: Store,
  ring: KeyRing,
  published: Published,
  letters: readonly StoredRecord[],
): Promise<{ readonly stored: number; readonly problems: Problems }> {
  const missing = new Set(published.ids);
  const [doubled, invented, unsound]: [string[], string[], string[]] = [[], [], []];
  const streams = new Map<string, Stream>();
  const storedOf = new Map<string, number>();
  const owners: Owners = new Map();
  const open = opener(store, ring);
  let stored = 0;
  for await (const page of recordPages(store)) {
    for (const record of page) {
      stored += 1;
      const { value, faults } = await open(record);
      unsound.push(...faults);
      const id = idOf(value);
      if (!missing.delete(id)) (published.ids.has(id) ? doubled : invented).push(id);
      noteOwned(owners, ownedEvent(value));
      notePlace(streams, record);
      const src = record.rid.slice(0, record.rid.lastIndexOf("."));
      storedOf.set(src, (storedOf.get(src) ?? 0) + 1);
    }
  }
  const problems = {
    lost: [...missing],
    invented,
    unsound,
    doubled,
    holes: [...streams].flatMap(([name, stream]) => holesOf(name, stream)),
    active: [...streams].flatMap(([name, stream]) => wronglyActive(name, stream)),
    accounts: await accountProblems(store.records, storedOf, published),
    letters: letterProblems(letters, published),
    owners: ownerProblems(await allOwnerships(store.history, signal), owners),
  };
  return { stored, problems };
}

/** Opens bodies under the store's own keys and holds each against its entry and leaf hash. */
function opener(store: Store, ring: KeyRing) {
  const keys = dataKeys({
    keys: store.keys,
    ring,
    now: () => performance.now(),
    random: () => new Uint8Array(),
  });
  return async (record: RecordRow): Promise<{ value: string; faults: readonly string[] }> => {
    const entry = parseRecordEntry(record.entry);
    if (entry === undefined) throw new Error(`entry of ${record.rid} cannot be read`);
    const wanted = entry.parts.map(({ c, k }) => ({ class: c, kid: k }));
    const opening = await keys.forOpening(wanted, signal);
    const body = openBody(record.body, record.rid, (_, kid) => opening.get(kid));
    const agrees = {
      leaf: Buffer.from(record.leafHash).equals(leafHash(sha256, record.entry)),
      parts: partsAgree(body.parts, entry.parts),
      version: entry.version === record.version,
      content: body.content?.hidden.length === 0,
    };
    const faults = Object.entries(agrees).flatMap(([what, ok]) => (ok ? [] : [`${record.rid}: ${what}`]));
    return { value: Buffer.from(body.content?.value ?? []).toString("utf8"), faults };
  };
}

function notePlace(streams: Map<string, Stream>, record: RecordRow): void {
  const name = `${record.kind}:${record.stream}`;
  const stream = streams.get(name) ?? { aliases: new Set(), places: [], active: [], head: record };
  streams.set(name, stream);
  const position = parseRid(record.rid);
  if (position === undefined) throw new Error(`${record.rid} is no position`);
  stream.aliases.add(record.alias);
  stream.places.push({ version: record.version, ...position });
  if (record.isActive) stream.active.push(record.version);
  if (record.version > stream.head.version) stream.head = record;
}

/** Versions 1, 2, 3 … under one alias, each partition's in the order of its offsets. */
function holesOf(name: string, { aliases, places }: Stream): readonly string[] {
  const inOrder = places.toSorted((a, b) => a.version - b.version);
  const holes = inOrder.filter(({ version }, index) => version !== index + 1);
  const last = new Map<string, number>();
  const turned = inOrder.filter(({ topicId, partition, offset }) => {
    const src = `${topicId}.${partition}`;
    const before = last.get(src) ?? -1;
    last.set(src, offset);
    return offset <= before;
  });
  return [
    ...holes.slice(0, 1).map(({ version }) => `${name}: a hole or a double before version ${version}`),
    ...turned.slice(0, 1).map(({ version }) => `${name}: version ${version} is not in the partition's order`),
    ...(aliases.size === 1 ? [] : [`${name}: ${aliases.size} aliases`]),
  ];
}

/** The head alone, and only while its action leaves it so. */
function wronglyActive(name: string, { active, head }: Stream): readonly string[] {
  const expected = activates(head.action) ? [head.version] : [];
  return active.join() === expected.join() ? [] : [`${name}: active ${active}, expected ${expected}`];
}
