/** Every search walks an index and never sorts more than one millisecond's ties; so its cost does not grow with the table. */
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "@jest/globals";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { migrate } from "../../../src/adapters/sqlite/schema.ts";
import { planSearch } from "../../../src/adapters/sqlite/search-plan.ts";
import type { Condition, RecordSearch } from "../../../src/ports/history-reader.ts";
import { makeScene, startMs } from "../../support/records.ts";

const equal = (field: Condition["field"], value = "x"): Condition => ({ field, operator: "=", value });
const timeRange: readonly Condition[] = [
  { field: "recorded_at", operator: ">=", value: startMs },
  { field: "recorded_at", operator: "<", value: startMs + 1_000 },
];

function explain(conditions: readonly Condition[], order: RecordSearch["order"]): readonly string[] {
  const db = new DatabaseSync(":memory:");
  migrate(db, ":memory:");
  const after = { value: startMs + 500, rid: makeScene().rid(7) };
  const plans = [undefined, after].flatMap((start) => {
    const plan = planSearch({ conditions, order, after: start, limit: 50 });
    const { sql, values } = plan.step(plan.firstCursor);
    return db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values).map((row) => String(row["detail"]));
  }); // biome-ignore format: one chain
  db.close();
  return [...new Set(plans)];
}

describe("by recorded_at", () => {
  const cases = [
    ["records_by_owner", "owner_id=?", [equal("tenant"), equal("owner_id")]],
    ["records_by_ownership", "ownership_id=?", [equal("ownership_id"), equal("active")]],
    ["records_by_entity", "entity_id=?", [equal("entity_id"), equal("entity_type")]],
    ["records_by_trace", "trace_id=?", [equal("owner_id"), equal("trace_id")]],
    ["records_by_producer", "producer_service=?", [equal("tenant"), equal("producer_service")]],
    ["records_by_event_type", "event_type=?", [equal("event_type"), equal("producer_service")]],
    ["records_by_tenant", "tenant=?", [equal("tenant"), equal("action")]],
    ["records_by_time", "", []],
  ] as const; // biome-ignore format: a table
  for (const [index, seek, conditions] of cases) {
    test(`${conditions.map((c) => c.field).join(" and ") || "nothing"} within a time range walks ${index}`, () => {
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

describe("by action_at", () => {
  test("a narrow condition collects from its index; anything else walks the index of action_at", () => {
    for (const direction of ["asc", "desc"] as const) {
      const order = { field: "action_at", direction } as const;
      expect(explain([equal("owner_id"), ...timeRange], order).join()).toMatch(/records_by_owner .owner_id=\?/);
      for (const conditions of [[], [equal("tenant")], [equal("event_type"), ...timeRange]]) {
        const details = explain(conditions, order).join();
        expect(details).toContain("records_by_action_time");
        expect(details).not.toContain("TEMP B-TREE");
      }
    }
  }); // biome-ignore format: short
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
      conditions: [equal("tenant", scene.tenant), { field: "entity_id", operator: ">=", value: "d" }],
      order: { field, direction: field === "recorded_at" ? "desc" : "asc" },
      after: undefined,
      limit: 10,
    };
    const found = await store.history.search(search, signal);
    expect(found.map((row) => row.rid)).toEqual([scene.rid(3)]);
    const deadline = new AbortController();
    const running = store.history.search(search, deadline.signal);
    deadline.abort();
    await expect(running).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  }
});
