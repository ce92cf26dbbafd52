/** Every search walks an index and never sorts more than one millisecond's ties; so its cost does not grow with the table. */
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { migrate } from "../../../src/adapters/sqlite/schema.ts";
import { searchColumns } from "../../../src/adapters/sqlite/search-columns.ts";
import { firstCursor, stepOf } from "../../../src/adapters/sqlite/search-plan.ts";
import { compare, type Filter } from "../../../src/core/filter.ts";
import { fieldsOf } from "../../../src/core/filter-holds.ts";
import {
  isTextField,
  orderFields,
  planWalk,
  type RecordSearch,
  type SearchOrder,
} from "../../../src/core/search-walk.ts";
import { allOf, equal } from "../../support/filters.ts";
import { makeScene, startMs } from "../../support/records.ts";

const timeRange: readonly Filter[] = [
  compare("recorded_at", ">=", startMs),
  compare("recorded_at", "<", startMs + 1_000),
];
const is = (field: Parameters<typeof equal>[0]) => equal(field, "x");

function explain(of: readonly Filter[], order: SearchOrder): readonly string[] {
  const db = new DatabaseSync(":memory:");
  migrate(db, 0);
  const filter = allOf(...of);
  const columns = searchColumns([...fieldsOf(filter), order.field]);
  const plans = ["", "x"].flatMap((value) =>
    [undefined, { value, at: startMs + 500, rid: makeScene().rid(7) }].flatMap((after) => {
      const { ordered, collected } = planWalk({ filter, order, after, limit: 50, scanMax: 100 });
      return (collected.length === 0 ? ordered : collected).flatMap((walk) => {
        const { sql, values } = stepOf(walk, columns, firstCursor(walk), 50);
        return db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map((row) => String(row["detail"]));
      });
    }),
  ); // biome-ignore format: one chain
  db.close();
  return [...new Set(plans)];
}

describe("by recorded_at", () => {
  const cases = [
    ["records_by_owner", "owner_id=?", [is("tenant"), is("owner_id")]],
    ["records_by_ownership", "ownership_id=?", [is("ownership_id"), is("active")]],
    ["records_by_entity", "entity_id=?", [is("entity_id"), is("entity_type")]],
    ["records_by_trace", "trace_id=?", [is("owner_id"), is("trace_id")]],
    ["records_by_producer", "producer_service=?", [is("tenant"), is("producer_service")]],
    ["records_by_event_type", "event_type=?", [is("event_type"), is("producer_service")]],
    ["records_by_tenant", "tenant=?", [is("tenant"), is("action")]],
    ["records_by_time", "", [is("namespace")]],
    ["records_by_time", "", []],
  ] as const; // biome-ignore format: a table
  for (const [index, seek, conditions] of cases) {
    test(`${conditions.map(({ field }) => field).join(" and ") || "nothing"} within a time range walks ${index}`, () => {
      for (const direction of ["asc", "desc"] as const) {
        const details = explain([...conditions, ...timeRange], { field: "recorded_at", direction });
        expect(details[0]).toMatch(new RegExp(`^SEARCH records USING (COVERING )?INDEX ${index} `));
        expect(details[0]).toContain(seek);
        expect(details[0]).toContain("recorded_at>? AND recorded_at<?");
        expect(
          details.slice(1).filter((d) => !d.includes("LAST TERM OF ORDER BY") && !d.includes(index)),
        ).toEqual([]);
      }
    });
  }
});

const any = (...of: readonly Filter[]): Filter => ({ kind: "any", of });

test("R-23 alternatives of which each has a narrow index seek each in its own, in every order", () => {
  const word = compare("text", "has", "x");
  const alternatives = any(
    is("owner_id"),
    allOf(is("trace_id"), is("action")),
    compare("entity_id", "prefix", "x"),
    word,
  );
  for (const field of ["recorded_at", "action_at", "entity_id", "tenant"] as const) {
    const order = { field, direction: "desc" } as const;
    const details = searched(explain([is("namespace"), alternatives, ...timeRange], order)).join("\n");
    expect(details).toMatch(/records_by_owner .owner_id=\? AND recorded_at>\? AND recorded_at<\?/);
    expect(details).toMatch(/records_by_trace .trace_id=\? AND recorded_at>\? AND recorded_at<\?/);
    expect(details).toMatch(/records_by_entity .entity_id>\? AND entity_id<\?/);
    expect(details).toMatch(/terms .*term=\? AND recorded_at>\? AND recorded_at<\?/);
    expect(details).not.toMatch(/SCAN|records_by_(time|action_time|tenant)/);
  }
  // A conjunct that has one comes first.
  const details = explain([is("ownership_id"), alternatives], { field: "recorded_at", direction: "desc" });
  expect(searched(details).join()).toMatch(
    /^SEARCH records USING INDEX records_by_ownership [^,]*,SEARCH texts/,
  );
});

test("R-23 what is in no conjunct seeks nothing: alternatives of which one has no narrow index, negations and prefixes walk by time", () => {
  const order = { field: "recorded_at", direction: "desc" } as const;
  const others: readonly Filter[] = [
    any(is("owner_id"), is("tenant")),
    any(is("owner_id"), { kind: "not", of: is("trace_id") }),
    any(is("owner_id"), compare("text", "has", "*")),
    any(is("owner_id"), equal("ownership_id", "")),
    { kind: "not", of: is("owner_id") },
    compare("owner_id", "prefix", "x"),
  ];
  for (const filter of others)
    expect(explain([filter, ...timeRange], order).join()).toMatch(
      /^SEARCH records USING INDEX records_by_time /,
    );
});

describe("by action_at", () => {
  test("a narrow condition collects from its index; anything else walks the index of action_at", () => {
    for (const direction of ["asc", "desc"] as const) {
      const order = { field: "action_at", direction } as const;
      expect(explain([is("owner_id"), ...timeRange], order).join()).toMatch(/records_by_owner .owner_id=\?/);
      for (const conditions of [[], [is("tenant")], [is("event_type"), ...timeRange]]) {
        const details = explain(conditions, order).join();
        expect(details).toContain("records_by_action_time");
        expect(details).not.toContain("TEMP B-TREE");
      }
    }
  }); // biome-ignore format: short
});

/** Nothing is sorted but the ties of one text and one millisecond, where an index ends there. */
const isSorted = (details: readonly string[]): boolean =>
  details.some((detail) => detail.includes("TEMP B-TREE") && !detail.includes("FOR LAST TERM OF ORDER BY"));
const searched = (details: readonly string[]): readonly string[] =>
  details.filter((detail) => /SEARCH|SCAN/.test(detail));

describe("by a text", () => {
  const texts = orderFields.filter(isTextField);
  const indexOf: Readonly<Record<(typeof texts)[number], string>> = {
    trace_id: "records_by_trace",
    entity_id: "records_by_entity",
    ownership_id: "records_by_ownership",
    owner_id: "records_by_owner",
    event_type: "records_by_event_type",
    producer_service: "records_by_producer",
    tenant: "records_by_tenant",
  };
  for (const field of texts) {
    const index = indexOf[field];
    const along = new RegExp(`^SEARCH records USING INDEX ${index} \\(+${field}[=<>,]`);
    const between = new RegExp(`${index} \\(\\(?${field}[^ ]*>[^ ]+ AND \\(?${field}[^ ]*<[^ ]+$`);
    test(`R-10 an order by a text walks its index, first or last those without a value, and sorts nothing: ${field}, ${index}`, () => {
      for (const direction of ["asc", "desc"] as const)
        for (const conditions of [[], timeRange, [is("namespace")]]) {
          const details = explain(conditions, { field, direction });
          const walks = searched(details);
          for (const detail of walks) expect(detail).toMatch(along);
          expect(new Set(walks.map((detail) => detail.includes(`(${field}=?`)))).toEqual(
            new Set([true, false]),
          );
          expect(details).toContain("MERGE (UNION ALL)");
          expect(isSorted(details)).toBe(false);
        }
    });
    test(`R-10 a beginning of ${field} begins and ends the walk, one value is walked by recorded_at`, () => {
      for (const direction of ["asc", "desc"] as const) {
        const begins = explain([compare(field, "prefix", "x")], { field, direction });
        expect(searched(begins).length).toBeGreaterThan(0);
        for (const detail of searched(begins)) expect(detail).toMatch(between);
        const same = explain([is(field), ...timeRange], { field, direction });
        expect(searched(same)[0]).toContain(`${index} (${field}=? AND recorded_at>? AND recorded_at<?)`);
        expect(isSorted([...begins, ...same])).toBe(false);
      }
    });
  }
  test("R-10 a narrow condition collects from its index", () => {
    const details = explain([is("owner_id"), is("namespace")], { field: "tenant", direction: "asc" });
    expect(searched(details).join()).toMatch(/^SEARCH records USING INDEX records_by_owner .owner_id=\?.$/);
  });
});

test("R-23 records without a value are found along the index of the field where nothing else is asked by equality", () => {
  const order = { field: "recorded_at", direction: "desc" } as const;
  const details = explain([equal("ownership_id", ""), ...timeRange], order);
  expect(searched(details).length).toBeGreaterThan(0);
  for (const detail of searched(details))
    expect(detail).toContain("records_by_ownership (ownership_id=? AND recorded_at>? AND recorded_at<?)");
  expect(isSorted(details)).toBe(false);
  expect(explain([equal("ownership_id", ""), is("tenant")], order).join()).toMatch(/records_by_tenant/);
});

test("an answer that lies behind many others is found step by step, and the deadline ends the walk between steps", async () => {
  await using store = await openSqliteStore({ path: ":memory:" });
  const signal = new AbortController().signal;
  const scene = makeScene();
  const records = Array.from({ length: 1_800 }, (_, offset) =>
    scene.record({
      offset,
      recordedAtMs: startMs + Math.floor(offset / 100),
      projection: { entityId: offset === 3 ? "rare" : "common", actionAtMs: startMs - offset },
    }),
  );
  await store.records.append(scene.batch({ records }), signal);
  for (const field of ["recorded_at", "action_at"] as const) {
    const search: RecordSearch = {
      filter: allOf(equal("tenant", scene.tenant), compare("entity_id", "prefix", "ra")),
      order: { field, direction: field === "recorded_at" ? "desc" : "asc" },
      after: undefined,
      limit: 10,
      scanMax: 2_000,
    };
    const { rows, scanned } = await store.history.search(search, signal);
    expect(rows.map((row) => row.rid)).toEqual([scene.rid(3)]);
    expect(scanned).toBe(1_800);
    const deadline = new AbortController();
    const running = store.history.search(search, deadline.signal);
    deadline.abort();
    await expect(running).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  }
});

test("a narrow index that holds more than may be looked at is left for the walk in the order asked for", async () => {
  await using store = await openSqliteStore({ path: ":memory:" });
  const signal = new AbortController().signal;
  const scene = makeScene();
  const records = Array.from({ length: 60 }, (_, offset) =>
    scene.record({ offset, recordedAtMs: startMs + offset, projection: { actionAtMs: startMs - offset } }),
  );
  await store.records.append(scene.batch({ records }), signal);
  const search = (scanMax: number) =>
    store.history.search(
      {
        filter: equal("owner_id", "actor-e1"),
        order: { field: "action_at", direction: "asc" },
        after: undefined,
        limit: 5,
        scanMax,
      },
      signal,
    );
  const [whole, left] = [await search(60), await search(59)];
  expect([whole.scanned, left.scanned]).toEqual([60, 5]);
  expect(whole.rows.map(({ rid }) => rid)).toEqual([59, 58, 57, 56, 55].map((offset) => scene.rid(offset)));
  expect(left.rows).toEqual(whole.rows);
  expect(left.next).toEqual(whole.next);
});
