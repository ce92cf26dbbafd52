import { expect, test } from "@jest/globals";
import { tracedStore } from "../../../src/adapters/otel/traced-store.ts";
import { openSqliteStore } from "../../../src/adapters/sqlite/open.ts";
import { LastroError } from "../../../src/core/errors.ts";
import type { Rid } from "../../../src/core/ids.ts";
import { observed } from "./observed.ts";

const { signal } = new AbortController();

test("R-11 calls to the store are traced and timed, and answer as before", async () => {
  const { tracer, metrics, spans, scrape } = observed();
  await using plain = await openSqliteStore({ path: ":memory:" });
  const store = tracedStore(plain, tracer, metrics);
  expect(await store.history.byRid("AAAAAAAAAAAAAAAAAAAAAA.0.0" as Rid, signal)).toBeUndefined();
  expect(await store.state.isEmpty(signal)).toBe(true);
  expect(await store.log.size(signal)).toBe(0);
  expect(store.description).toBe(plain.description);
  expect(spans().map(({ name }) => name)).toEqual(["history.byRid", "state.isEmpty", "log.size"]);
  expect(await scrape()).toMatch(
    /db_client_operation_duration_seconds_count\{db_operation_name="history.byRid"\} 1/,
  );
});

test("R-11 a failing call keeps its error, and only its code is recorded", async () => {
  const { tracer, metrics, spans, scrape } = observed();
  await using plain = await openSqliteStore({ path: ":memory:" });
  const error = new LastroError("STORE_UNAVAILABLE", "12345678900 is away");
  const failing = { ...plain.records, probe: () => Promise.reject(error) };
  const store = tracedStore({ ...plain, records: failing }, tracer, metrics);
  await expect(store.records.probe(signal)).rejects.toBe(error);
  expect(spans()[0]?.attributes).toEqual({ "error.type": "STORE_UNAVAILABLE" });
  expect(spans()[0]?.events).toEqual([]);
  expect(await scrape()).toContain('error_type="STORE_UNAVAILABLE"');
});
