/** What setting active flags right costs in a file does not grow with the history of an entity. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { openGroupCommit } from "../../../src/adapters/sqlite/group-commit.ts";
import { writeRecords } from "../../../src/adapters/sqlite/records.ts";
import { migrate } from "../../../src/adapters/sqlite/schema.ts";

test("whatever is changed of stored records is found by exactly one version of a stream, and by no range of them", () => {
  const db = new DatabaseSync(":memory:");
  migrate(db, 0);
  const prepared: string[] = [];
  const watched = Object.assign(Object.create(db), {
    prepare(sql: string) {
      prepared.push(sql);
      return db.prepare(sql);
    },
  });
  writeRecords(watched, openGroupCommit(db), 1);
  const changes = prepared.filter((sql) => sql.startsWith("UPDATE records"));
  expect(changes.length).toBeGreaterThan(1);
  for (const sql of changes) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^SEARCH records USING INDEX \S+ \(stream=\? AND kind=\? AND version=\?\)$/),
    ]);
  }
  db.close();
});
