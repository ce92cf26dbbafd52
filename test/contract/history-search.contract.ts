/** The part of the history reader's contract that is about searches and scans. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { severities, statuses } from "../../src/core/event.ts";
import { type Comparison, compare, type Filter } from "../../src/core/filter.ts";
import { holds, type ReadField } from "../../src/core/filter-holds.ts";
import { parseRid, type Rid } from "../../src/core/ids.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { type SearchField, valueOfRow } from "../../src/core/search-fields.ts";
import {
  orderFields,
  type RecordSearch,
  type SearchOrder,
  type SearchPlace,
} from "../../src/core/search-walk.ts";
import type { Store } from "../../src/ports/store.ts";
import { allOf, equal, filtersOf } from "../support/filters.ts";
import { seed } from "../support/fuzz.ts";
import { makeScene, type Scene, startMs } from "../support/records.ts";

const signal = new AbortController().signal;

/** Texts by their bytes and then by recorded_at, times by themselves. */
function compareValues(a: RecordRow, b: RecordRow, { field }: SearchOrder): number {
  if (field === "recorded_at") return a.recordedAtMs - b.recordedAtMs;
  if (field === "action_at") return a.projection.actionAtMs - b.projection.actionAtMs;
  const [left, right] = [a, b].map((row) => Buffer.from(String(valueOfRow(row, field))));
  return Buffer.compare(left ?? Buffer.of(), right ?? Buffer.of()) || a.recordedAtMs - b.recordedAtMs;
}

function comparePositions(a: Rid, b: Rid): number {
  const [left, right] = [parseRid(a), parseRid(b)];
  if (left === undefined || right === undefined) throw new Error("not a rid");
  const topics = Buffer.compare(
    Buffer.from(left.topicId, "base64url"),
    Buffer.from(right.topicId, "base64url"),
  );
  return topics || left.partition - right.partition || left.offset - right.offset;
}

/** Of the rows of `variety`: every fifth has none. */
function termsOf({ rid }: RecordRow): readonly string[] {
  const n = (parseRid(rid)?.offset ?? 0) / 300;
  return n % 5 === 4 ? [] : [["joao", "jose", "maria"][n % 3] ?? "", n % 2 === 0 ? "a" : "jovem", `word${n}`];
}

const readerOf =
  (row: RecordRow): ReadField =>
  (field) =>
    field === "text" ? termsOf(row) : valueOfRow(row, field);

/** What a search is held against: the filter's meaning, asked of plain rows. */
const expected = (rows: readonly RecordRow[], filter: Filter, order: SearchOrder) =>
  rows
    .filter((row) => holds(filter, readerOf(row)) === true)
    .sort((a, b) => compareValues(a, b, order) || comparePositions(a.rid, b.rid))
    .map((row) => row.rid)
    [order.direction === "asc" ? "slice" : "toReversed"]();

const orders: readonly SearchOrder[] = orderFields.flatMap((field) => [
  { field, direction: "asc" },
  { field, direction: "desc" },
]);
/** For questions of which there are many: those by times, and by two texts. */
const someOrders = orders.filter(
  ({ field, direction }) =>
    ["recorded_at", "action_at"].includes(field) ||
    (field === "ownership_id" && direction === "asc") ||
    (field === "trace_id" && direction === "desc"),
);

/** Among them such as UTF-16 units order otherwise, and such as nothing but the empty text lies before or behind. */
const texts = ["", " ", "Z", "a", "a ", "aa", "e\u0301", "\u00e9", "\ud7ff", "\uffee", "\u{10000}", "\u{10ffff}", "\u{10ffff}z"]; // biome-ignore format: a list

/** 24 records of one tenant from two topics and two partitions, with ties in both times and every field varied. */
function variety(): { tenant: string; rows: readonly RecordRow[] } {
  const scenes = [makeScene(0xf0, 1), makeScene(0x10, 300), makeScene(0x10, 2)];
  const tenant = makeScene().tenant;
  const rows = scenes.flatMap((scene, s) =>
    Array.from({ length: 8 }, (_, i) =>
      scene.record({
        offset: i * 300,
        version: i + 1,
        kind: i % 4 === 3 ? "activity" : "change",
        action: i % 4 === 3 ? "none" : i % 3 === 0 ? "new" : "delete",
        isActive: i === 6,
        recordedAtMs: startMs + Math.floor(i / 3) + s,
        projection: {
          tenant,
          namespace: s === 0 ? "crm" : "billing",
          entityType: i % 2 === 0 ? "account" : "invoice",
          entityId: `id-${i % 3}`,
          eventType: i % 2 === 0 ? "account.updated" : "invoice.created",
          producerService: s === 1 ? "crm" : "billing",
          traceId: i === 4 ? "" : `trace-${i % 5}`,
          actor: {
            id: `actor-${i % 2}`,
            ip: `192.0.2.${i % 3}`,
            role: `role-${i % 3}`,
            type: i % 2 === 0 ? "user" : "service",
          },
          severity: severities[i % 4] ?? "LOW",
          status: statuses[i % 3] ?? "SUCCESS",
          resourceType: i % 3 === 1 ? undefined : `thing-${i % 3}`,
          flags: i % 4 === 0 ? [] : i % 2 === 0 ? ["late"] : ["aliased", "late"],
          indexed: i % 2 === 0 ? {} : { "/payload/plan": `plan-${i % 3}`, "/payload/$x.y": "" },
          ownershipId: i % 3 === 0 ? (s === 1 ? "" : undefined) : `owner-${i % 3}`,
          actionAtMs: startMs - (i % 4) * 10,
        },
      }),
    ),
  );
  return { tenant, rows };
}

/** `filterRuns`: how many filters are drawn at random. */
export function searchContract(
  name: string,
  store: () => Store,
  save: (scene: Scene, rows: readonly RecordRow[]) => Promise<void>,
  filterRuns: number,
): void {
  describe(`${name}: search`, () => {
    const { tenant, rows } = variety();
    const inTenant = equal("tenant", tenant);
    beforeAll(async () => {
      await save(makeScene(), rows);
      const texts = rows.map((row) => ({
        rid: row.rid,
        recordedAtMs: row.recordedAtMs,
        terms: termsOf(row),
      }));
      await store().index.addTexts(texts, signal);
    });

    const search = (over: Partial<RecordSearch> & Pick<RecordSearch, "filter" | "order">) =>
      store().history.search({ after: undefined, limit: 100, scanMax: 1_000, ...over }, signal);
    /** All pages, each asked for where the one before stopped. */
    const walk = async (
      filter: Filter,
      order: SearchOrder,
      bounds: Pick<RecordSearch, "limit" | "scanMax">,
      sizes: readonly number[] = [bounds.limit],
    ) => {
      const found: Rid[] = [];
      let after: SearchPlace | undefined;
      for (let page = 0; page < 500; page++) {
        const limit = sizes[page % sizes.length] ?? bounds.limit;
        const answer = await search({ filter, order, after, ...bounds, limit });
        expect(answer.rows.length).toBeLessThanOrEqual(limit);
        expect(answer.scanned).toBeLessThanOrEqual(bounds.scanMax);
        found.push(...answer.rows.map((row) => row.rid));
        if (answer.next === undefined) return found;
        expect(answer.next).not.toEqual(after);
        after = answer.next;
      }
      throw new Error("pages without end");
    };
    const wide = { limit: 5, scanMax: 1_000 };

    for (const order of orders) {
      const { field, direction } = order;
      test(`R-10 pages by ${field} ${direction} are the whole answer in order, ties broken by source position`, async () => {
        expect(await walk(allOf(inTenant, allOf()), order, wide)).toEqual(expected(rows, allOf(), order));
      });
    }

    const comparisons: readonly (readonly [SearchField | "/payload/plan", Comparison["operator"], Comparison["value"]])[] = [
      ["namespace", "=", "crm"], ["entity_type", "=", "invoice"], ["entity_id", "=", "id-2"], ["kind", "=", "activity"],
      ["event_type", "=", "invoice.created"], ["action", "=", "none"], ["producer_service", "=", "crm"], ["trace_id", "=", "trace-3"],
      ["owner_id", "=", "actor-1"], ["ownership_id", "=", "owner-1"], ["ownership_id", "=", ""], ["action_at", "=", startMs - 20],
      ["recorded_at", "=", startMs + 1], ["active", "=", true], ["active", "=", false], ["severity", "=", 2], ["severity", ">=", 2],
      ["resource_type", "=", "thing-2"], ["resource_type", "=", ""], ["owner_role", "=", "role-1"], ["owner_type", "=", "service"],
      ["owner_ip", "=", "192.0.2.1"], ["owner_ip", "prefix", "192.0.2.2"], ["status", "=", "FAILURE"], ["operation", "=", "CREATE"], ["operation", "prefix", "UP"],
      ["version", "=", 3], ["version", "<", 3], ["flags", "has", "aliased"], ["flags", "has", "*"], ["event_type", "prefix", "inv"],
      ["/payload/plan", "=", "plan-1"], ["/payload/plan", "=", ""], ["/payload/plan", "prefix", "plan"],
      ["text", "has", "joao"], ["text", "has", "*"], ["text", "prefix", "jo"], ["text", "prefix", "word3"],
    ]; // biome-ignore format: a table
    for (const [field, operator, value] of comparisons) {
      test(`R-23 ${field} ${operator} ${JSON.stringify(value)} finds exactly its records, and NOT the others, by times and by texts`, async () => {
        const comparison = compare(field, operator, value);
        for (const filter of [comparison, { kind: "not", of: comparison } as const])
          for (const order of someOrders) {
            const all = expected(rows, filter, order);
            expect(all.length).toBeGreaterThan(0);
            expect(all.length).toBeLessThan(rows.length);
            expect(await walk(allOf(inTenant, filter), order, { limit: 3, scanMax: 1_000 })).toEqual(all);
          }
      });
    }

    const joined: readonly (readonly [string, readonly Filter[]])[] = [
      ["recorded_at from and to", [compare("recorded_at", ">=", startMs + 1), compare("recorded_at", "<", startMs + 3)]],
      ["recorded_at behind and up to", [compare("recorded_at", ">", startMs + 1), compare("recorded_at", "<=", startMs + 3)]],
      ["action_at behind and up to", [compare("action_at", ">", startMs - 20), compare("action_at", "<=", startMs)]],
      ["two lower bounds", [compare("recorded_at", ">=", startMs + 1), compare("recorded_at", ">=", startMs + 2)]],
      ["an owner and a time", [equal("owner_id", "actor-0"), compare("action_at", "<", startMs - 5)]],
      ["an owner and a trace", [equal("owner_id", "actor-0"), equal("trace_id", "trace-1")]],
      ["an owner, a time and active", [equal("owner_id", "actor-0"), compare("recorded_at", ">", startMs + 2), equal("active", true)]],
      ["a rare and a usual word", [compare("text", "has", "a"), compare("text", "has", "maria")]],
      ["a word and a beginning", [compare("text", "prefix", "jo"), compare("text", "has", "a"), compare("recorded_at", ">", startMs)]],
      ["a beginning and a word that is no first one", [compare("text", "has", "jovem"), compare("text", "prefix", "j")]],
      ["the beginning of a trace and a time", [compare("trace_id", "prefix", "trace-"), compare("recorded_at", "<=", startMs + 1)]],
      ["a trace of several and a rare word", [equal("trace_id", "trace-2"), compare("text", "prefix", "m")]],
      ["no ownership and an owner", [equal("ownership_id", ""), equal("owner_id", "actor-0")]],
      ["one of two owners", [{ kind: "any", of: [equal("owner_id", "actor-0"), equal("trace_id", "trace-1")] }, equal("kind", "change")]],
      ["words, or the beginning of an id", [{ kind: "any", of: [allOf(compare("text", "has", "a"), compare("text", "prefix", "jo")), compare("entity_id", "prefix", "id-1")] }]],
      ["a word or an owner, and a time", [{ kind: "any", of: [compare("text", "prefix", "m"), equal("owner_id", "actor-0")] }, compare("recorded_at", ">", startMs + 1)]],
    ]; // biome-ignore format: a table
    for (const [title, of] of joined) {
      test(`R-10 ${title}: all conditions hold for what is found`, async () => {
        for (const order of orders) {
          const all = expected(rows, allOf(...of), order);
          expect(all.length).toBeGreaterThan(0);
          expect(all.length).toBeLessThan(rows.length);
          expect(await walk(allOf(inTenant, allOf(...of)), order, { limit: 4, scanMax: 1_000 })).toEqual(all);
        }
      });
    }

    test(`R-23 any filter answers as its meaning says, however few records are looked at in one call (seed ${seed})`, async () => {
      const own = new Set(rows.map((row) => row.rid));
      const drawn = <Value>(of: (row: RecordRow) => Value) => fc.constantFrom(...rows.map(of));
      const filters = filtersOf({
        paths: ["/payload/plan", "/payload/$x.y"],
        text: (field) =>
          fc.oneof(
            drawn((row) => String(valueOfRow(row, field))),
            fc.string({ maxLength: 3 }),
          ),
        number: (field) => drawn((row) => Number(valueOfRow(row, field))),
        ordering: ["=", "<", "<=", ">", ">="],
      });
      const bounds = fc.record({
        limit: fc.integer({ min: 1, max: 9 }),
        scanMax: fc.integer({ min: 7, max: 60 }),
      });
      const property = fc.asyncProperty(
        filters,
        fc.constantFrom(...orders),
        bounds,
        fc.boolean(),
        async (filter, order, bound, isBare) => {
          const found = await walk(isBare ? filter : allOf(inTenant, filter), order, bound);
          // A bare filter finds records of other tests too.
          expect(found.filter((rid) => own.has(rid))).toEqual(expected(rows, filter, order));
        },
      );
      await fc.assert(property, { seed, numRuns: filterRuns });
    }, 120_000);

    test(`R-10 every order of records at random is that of all of them sorted in memory, whatever the pages (seed ${seed})`, async () => {
      const text = fc.constantFrom(...texts);
      const drawn = fc.record({
        at: fc.nat(3),
        actionAt: fc.nat(3),
        id: text,
        owner: text,
        trace: text,
        type: text,
        producer: text,
        tenant: text,
        ownership: fc.option(text, { nil: undefined }),
      });
      const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
      const draws = fc.array(drawn, { minLength: 1, maxLength: 40 });
      const property = fc.asyncProperty(
        draws,
        sizes,
        fc.constantFrom("", ...texts),
        async (of, pages, begins) => {
          const scene = makeScene();
          const namespace = scene.tenant;
          const own = of.map((one, offset) =>
            scene.record({
              offset,
              entity: `e-${offset}`,
              recordedAtMs: startMs + one.at,
              projection: {
                namespace,
                entityId: one.id,
                traceId: one.trace,
                eventType: one.type,
                producerService: one.producer,
                tenant: one.tenant,
                ownershipId: one.ownership,
                actionAtMs: startMs + one.actionAt,
                actor: { id: one.owner, ip: "", role: "", type: "user" },
              },
            }),
          );
          await save(scene, own);
          const inScene = equal("namespace", namespace);
          for (const order of orders) {
            const isText = order.field !== "recorded_at" && order.field !== "action_at";
            const prefix = isText && begins !== "" ? [compare(order.field, "prefix", begins)] : [];
            const filter = allOf(inScene, ...prefix);
            expect(await walk(filter, order, wide, pages)).toEqual(expected(own, filter, order));
          }
        },
      );
      await fc.assert(property, { seed, numRuns: Math.ceil(filterRuns / 20) });
    }, 240_000);

    test("R-23 a record that is not indexed yet is found where its words alone would decide, but by no index of words", async () => {
      const scene = makeScene();
      const row = scene.record({ offset: 0 });
      await save(scene, [row]);
      const own = equal("tenant", scene.tenant);
      const word = compare("text", "has", "joao");
      const other: Filter = { kind: "any", of: [word, equal("kind", "activity")] };
      const found = async (of: readonly Filter[]) =>
        (
          await search({ filter: allOf(own, ...of), order: { field: "recorded_at", direction: "desc" } })
        ).rows.map(({ rid }) => rid);
      expect(await found([other])).toEqual([row.rid]);
      expect(await found([{ kind: "not", of: word }])).toEqual([row.rid]);
      expect(await found([other, equal("kind", "activity")])).toEqual([]);
      expect(await found([word])).toEqual([]);
      await store().index.addTexts(
        [{ rid: row.rid, recordedAtMs: row.recordedAtMs, terms: ["ana"] }],
        signal,
      );
      expect(await found([other])).toEqual([]);
    });

    test("R-23 of alternatives that an index finds each, none but those found are looked at, and those found twice are given once", async () => {
      const of = [equal("trace_id", "trace-1"), compare("text", "prefix", "word1")].map((one) =>
        allOf(inTenant, one),
      );
      const byTime = { field: "recorded_at", direction: "asc" } as const;
      const apart = await Promise.all(of.map((filter) => search({ filter, order: byTime })));
      const ridsApart = apart.flatMap((one) => one.rows.map(({ rid }) => rid));
      for (const order of orders) {
        const { rows: found, scanned } = await search({ filter: { kind: "any", of }, order });
        expect(found.map(({ rid }) => rid)).toEqual(expected(rows, { kind: "any", of }, order));
        expect(found.length).toBeLessThan(ridsApart.length);
        expect(scanned).toBe(apart.reduce((sum, one) => sum + one.scanned, 0));
      }
    });

    test("a beginning that more records have than may be looked at is walked by time, and gives the same records", async () => {
      const word = allOf(inTenant, compare("text", "prefix", "jo"));
      for (const order of orders)
        expect(await walk(word, order, { limit: 3, scanMax: 5 })).toEqual(expected(rows, word, order));
    });

    test("a scan gives the values asked for of the records that a search gives, in its order", async () => {
      const order = { field: "recorded_at", direction: "desc" } as const;
      const filter = allOf(inTenant, compare("text", "has", "a"));
      const bounds = { filter, order, after: undefined, limit: 100, scanMax: 1_000 };
      const scan = await store().history.scan(
        bounds,
        ["owner_id", "severity", "/payload/plan", "recorded_at"],
        signal,
      );
      const { rows: whole } = await search(bounds);
      expect(whole.length).toBeGreaterThan(3);
      expect(scan.found.map(({ rid }) => rid)).toEqual(whole.map(({ rid }) => rid));
      expect(scan.found.map(({ values }) => values)).toEqual(
        whole.map((row) => [
          row.projection.actor.id,
          severities.indexOf(row.projection.severity),
          row.projection.indexed["/payload/plan"] ?? "",
          row.recordedAtMs,
        ]),
      );
      const first = await store().history.scan({ ...bounds, limit: 2 }, [], signal);
      const rest = await store().history.scan({ ...bounds, after: first.next }, [], signal);
      expect([...first.found, ...rest.found].map(({ rid }) => rid)).toEqual(whole.map(({ rid }) => rid));
    });

    test("values of many records are read at once, in the order asked for; those that are not there are left out", async () => {
      const some = [rows[9], rows[2], rows[4]].filter((row) => row !== undefined);
      const fields = ["recorded_at", "severity", "status", "text", "/payload/plan"] as const;
      const read = (rids: readonly Rid[]) => store().history.values(rids, fields, signal);
      expect(await read([makeScene().rid(1), ...some.map(({ rid }) => rid)])).toEqual(
        some.map((row) => fields.map(readerOf(row))),
      );
      expect(await read([])).toEqual([]);
    });

    test("R-23 a search stops where enough records were looked at, and says where to go on", async () => {
      const never = equal("namespace", "nowhere");
      for (const order of orders.slice(0, 2)) {
        const answer = await search({ filter: allOf(inTenant, never), order, scanMax: 7 });
        const seventh = expected(rows, allOf(), order)[6];
        expect({ ...answer, rid: answer.next?.rid }).toMatchObject({ rows: [], scanned: 7, rid: seventh });
        expect(await walk(allOf(inTenant, never), order, { limit: 5, scanMax: 7 })).toEqual([]);
      }
    });

    test("a search that nothing satisfies is empty", async () => {
      const filter = allOf(inTenant, equal("owner_id", "nobody"));
      for (const order of orders)
        expect(await search({ filter, order })).toEqual({ rows: [], scanned: 0, next: undefined });
    });
  });
}
