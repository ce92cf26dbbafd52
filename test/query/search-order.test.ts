/** Searches that are ordered by a text. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { pageTokenCharactersMax } from "../../src/core/page-token.ts";
import { selfProducer } from "../../src/core/parse-options.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { pager } from "../../src/query/page.ts";
import { grant, person } from "../support/callers.ts";
import { anna, type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { refused, searchRecords } from "../support/searching.ts";

const signal = new AbortController().signal;

describe("R-10 the order of a text", () => {
  const texts = [
    undefined,
    "a",
    "\uffee",
    "\u{10000}",
    "b".repeat(200),
    '"'.repeat(256),
    "\u{1f600}".repeat(256),
  ];
  const asked = (orderBy: string, pageToken = "", pageSize = 1) => ({
    filter: "kind = change",
    orderBy,
    pageSize,
    pageToken,
  });
  let world: HistoryWorld;
  beforeAll(async () => {
    world = await openHistoryWorld();
    for (const ownership_id of texts)
      await world.publish({
        payload: { public_id: "a" },
        ...(ownership_id === undefined && { producer: selfProducer }),
        metadata: { ownership_id },
      });
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  test("what has none comes first, or last where the highest comes first; tokens hold any text and do not tell how long it is", async () => {
    const walk = async (orderBy: string) => {
      const found: (string | undefined)[] = [];
      const tokens: string[] = [];
      for (let token = ""; ; ) {
        const page = await searchRecords(world.deps, asked(orderBy, token), anna, signal);
        found.push(
          ...page.records.map(({ content }) => ("actor" in content ? content.ownershipId : undefined)),
        );
        token = page.nextPageToken;
        if (token === "") return { found, tokens };
        tokens.push(token);
      }
    };
    const up = await walk("ownership_id");
    const [absent, ...present] = texts;
    const sorted = [
      absent,
      ...present.toSorted((a, b) => Buffer.compare(Buffer.from(a ?? ""), Buffer.from(b ?? ""))),
    ];
    expect(up.found).toEqual(sorted);
    expect((await walk("ownership_id desc")).found).toEqual(sorted.toReversed());
    const lengthAt = (text: string) => up.tokens[sorted.indexOf(text)]?.length ?? 0;
    expect(lengthAt("a")).toBeGreaterThan(0);
    expect(lengthAt("b".repeat(200))).toBe(lengthAt("a"));
    for (const token of up.tokens) expect(token.length).toBeLessThanOrEqual(pageTokenCharactersMax);
  });

  test("a token that was given before texts ordered goes on in the order of its time", async () => {
    for (const [orderBy, order, atOf] of [
      ["", "recorded_at desc", (row: RecordRow) => row.recordedAtMs],
      ["action_at", "action_at asc", (row: RecordRow) => row.projection.actionAtMs],
    ] as const) {
      const whole = await searchRecords(world.deps, asked(orderBy, "", 50), anna, signal);
      const second = whole.records[1];
      const row = second && (await world.store.history.byRid(second.rid, signal));
      if (row === undefined) throw new Error("there are fewer records than were published");
      const { tokenAt } = pager(world.deps, "SearchRecords", ["kind = change"], order, anna, asked(orderBy));
      const digest = Buffer.alloc(32).toString("base64url");
      for (const skip of [0, 2]) {
        const parts = [atOf(row), row.rid, -1, digest, ...(skip === 0 ? [] : [skip])];
        const rest = await searchRecords(world.deps, asked(orderBy, tokenAt(parts), 50), anna, signal);
        expect(rest.records.map(({ rid }) => rid)).toEqual(
          whole.records.slice(2 + skip).map(({ rid }) => rid),
        );
      }
    }
  });

  test("an order by what a mask hides is denied as a filter on it is", async () => {
    const masked = person("masked", grant("auditor", { personal: false }));
    for (const field of ["owner_id", "ownership_id desc", "entity_id"])
      expect(await refused(searchRecords(world.deps, asked(field), masked, signal))).toMatch(
        /^PERMISSION_DENIED order_by/,
      );
    const page = await searchRecords(world.deps, asked("trace_id", "", 50), masked, signal);
    expect(page.records).toHaveLength(texts.length);
  });
});
