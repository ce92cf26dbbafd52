/** The same filter asked of a search, of a tail and of an export: words of full text among all else. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Caller } from "../../src/core/caller.ts";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import { indexPass } from "../../src/indexing/index-pass.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { matchesIn } from "../../src/query/export-texts.ts";
import { readStretch } from "../../src/query/log-records.ts";
import { permit } from "../../src/query/permit.ts";
import { reachedFilter, searchRecords } from "../../src/query/search-records.ts";
import { openTail, type TailPart } from "../../src/query/tail-records.ts";
import { grant, person } from "../support/callers.ts";
import { filtersOf, filterText } from "../support/filters.ts";
import { seed, timesOf } from "../support/fuzz.ts";
import type { EventSpec } from "../support/history-world.ts";
import { type LoggedWorld, openLoggedWorld, ridsOf } from "../support/logged-world.ts";

const signal = new AbortController().signal;
const names = ["João da Silva", "Joana", "a", "Ouro jovem", undefined];
const types = ["account.created", "account.viewed", "jo.created", "note.created"];
function catalogueOf(events: object) {
  const parsed = parseCatalogue(JSON.stringify({ version: 1, events }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed));
  return parsed.catalogue;
}
const catalogue = catalogueOf({
  "note.created": { search: ["/payload/text"], index: ["/payload/plan"] },
});
const eventOf = (n: number): EventSpec => ({
  type: types[n % types.length] ?? "",
  payload: {
    id: n,
    name: names[n % names.length],
    text: names[(n + 1) % names.length],
    plan: n % 2 ? "jo" : "a",
  },
  metadata: { tenant_id: n % 3 === 0 ? "a" : "b", ownership_id: `o-${n % 2}` },
});

const everybody = person("everything", grant("auditor"));
const callers = [
  everybody,
  person("of-a", grant("auditor", { tenants: ["a"] })),
  person("masked", grant("auditor", { personal: false })),
  person("partly", grant("auditor", { personal: false }), grant("auditor", { ownershipIds: ["o-1"] })),
];

async function searched(deps: QueryDeps, filter: string, caller: Caller): Promise<readonly string[]> {
  const request = { filter, orderBy: "recorded_at", pageSize: 1_000, pageToken: "" };
  const page = await searchRecords(deps, request, caller, signal, undefined);
  expect([page.nextPageToken, page.alteredRids]).toEqual(["", []]);
  return ridsOf(page.records);
}

const limits = { tailsMax: 10, heartbeatMs: 1 };
async function tailed(
  deps: QueryDeps,
  filter: string,
  caller: Caller,
  size: number,
): Promise<readonly TailPart[]> {
  // A clock by which every look is a heartbeat later.
  let nowMs = 0;
  const tail = openTail(deps, limits, () => (nowMs += limits.heartbeatMs));
  const parts: TailPart[] = [];
  for await (const part of tail({ filter, from: { index: 0 } }, caller, signal)) {
    parts.push(part);
    if (part.nextIndex === size) break;
  }
  return parts;
}

async function exported(
  deps: QueryDeps,
  text: string,
  caller: Caller,
  size: number,
): Promise<readonly string[]> {
  const access = permit(deps, caller, "ExportRecords");
  const filter = reachedFilter(deps, access, text);
  const rids: string[] = [];
  for (let from = 0; from < size; ) {
    const stretch = await readStretch(deps, from, size, signal);
    const { found, alteredRids } = await matchesIn(deps, access, filter, stretch, signal);
    expect(alteredRids).toEqual([]);
    rids.push(...ridsOf(found.map(({ row }) => row)));
    from = stretch.to;
  }
  return rids;
}

const codeOf = (error: unknown): string => {
  if (error instanceof LastroError) return error.code;
  throw error;
};

describe.each([
  ["whole", undefined],
  ["without the keys of owners", "s"],
  ["without the keys of actors", "a"],
] as const)("of records that are %s", (_, without) => {
  let world: LoggedWorld;
  let deps: QueryDeps;
  beforeAll(async () => {
    world = await openLoggedWorld(catalogue);
    for (let n = 0; n < 60; n += 4) await world.log(...[n, n + 1, n + 2, n + 3].map(eventOf));
    deps = without === undefined ? world.deps : world.withoutKeys(without);
    const { log, history, index } = world.store;
    for (let lag = 1; lag > 0; )
      ({ lag } = await indexPass({ log, history, index, keys: deps.keys, catalogue }, signal));
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  test(`R-23 a search, a tail and an export find the same, whatever is asked for and by whom (seed ${seed})`, async () => {
    const size = world.built.size();
    const filters = filtersOf({
      paths: ["/payload/plan"],
      text: () => fc.constantFrom("a", "b", "jo", "o-1", "account", "note.created", "team_service"),
      number: (field) =>
        field === "version"
          ? fc.nat(3)
          : fc.nat(20).map((s) => Date.parse("2024-06-22T12:00:00Z") + s * 1_000),
      ordering: ["=", "<", "<=", ">", ">="],
    });
    const words = fc.constantFrom(
      "text:joao",
      "text:jo*",
      '-text:"jo*"',
      "text:a OR tenant = b",
      "text:created kind = change",
    );
    const texts = fc.oneof(
      filters.map(filterText),
      words,
      fc.tuple(words, filters).map(([word, filter]) => `(${word}) (${filterText(filter) || "text:*"})`),
    );
    let found = 0;
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom(...callers), async (text, caller) => {
        const rids = await searched(deps, text, caller).catch(codeOf);
        expect(await exported(deps, text, caller, size).catch(codeOf)).toEqual(rids);
        const parts = await tailed(deps, text, caller, size).catch(codeOf);
        expect(typeof parts === "string" ? parts : parts.flatMap(({ records }) => ridsOf(records))).toEqual(
          rids,
        );
        if (typeof rids !== "string" && text.includes("text")) found += rids.length;
      }),
      { numRuns: timesOf(300, 0.02), seed },
    );
    expect(found).toBeGreaterThan(100);
  }, 600_000);

  test("words find in a tail what they find in a search", async () => {
    const found = await searched(deps, 'text:"joao sil*"', everybody);
    expect(found.length).toBe(without === "s" ? 0 : 12);
    const parts = await tailed(deps, 'text:"joao sil*"', everybody, world.built.size());
    expect(parts.flatMap(({ records }) => ridsOf(records))).toEqual(found);
  });
});

test("a tail whose words no record has tells on the way how far it is, and never beyond what it opened", async () => {
  await using world = await openLoggedWorld();
  await world.log(...Array.from({ length: 300 }, (_, n) => eventOf(n)));
  const opened: number[] = [];
  const deps: QueryDeps = {
    ...world.deps,
    keys: {
      forOpening(kids, until) {
        opened.push(kids.length);
        return world.deps.keys.forOpening(kids, until);
      },
    },
  };
  const parts = await tailed(deps, "text:nobody", everybody, world.built.size());
  expect(parts.every(({ records }) => records.length === 0)).toBe(true);
  expect([...new Set(parts.map(({ nextIndex }) => nextIndex))]).toEqual([
    0,
    100,
    200,
    256,
    world.built.size(),
  ]);
  expect(opened).toHaveLength(4);
});

test("a tail opens no body that the rest of its filter refuses", async () => {
  await using world = await openLoggedWorld();
  await world.log(...Array.from({ length: 40 }, (_, n) => eventOf(n)));
  let opened = 0;
  const deps: QueryDeps = {
    ...world.deps,
    keys: {
      forOpening(kids, until) {
        opened += kids.length;
        return world.deps.keys.forOpening(kids, until);
      },
    },
  };
  await tailed(deps, "text:joao AND event_type = unknown.created", everybody, world.built.size());
  expect(opened).toBe(0);
  await tailed(deps, "text:joao AND event_type = jo.created", everybody, world.built.size());
  expect(opened).toBe(2 * 10);
});
