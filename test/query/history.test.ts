import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import { compareVersions } from "../../src/query/compare-versions.ts";
import { getHistory } from "../../src/query/get-history.ts";
import { getRecord } from "../../src/query/get-record.ts";
import { getState, type StateAnswer } from "../../src/query/get-state.ts";
import { contentOf, type RecordView } from "../../src/query/record-view.ts";
import { damageKey } from "../support/damage-key.ts";
import { anna, eventText, type HistoryWorld, openHistoryWorld, ownership } from "../support/history-world.ts";

const signal = new AbortController().signal;
const account = { tenant: "", namespace: "team_service", entityType: "account", entityId: "a-1" };
const utf8 = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const history = {
  entity: account,
  kinds: [],
  includeInactive: true,
  order: "desc",
  pageSize: 0,
  pageToken: "",
} as const;
const codeOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return "answered";
  } catch (error) {
    if (error instanceof LastroError) return `${error.code} ${error.field ?? ""}`.trim();
    throw error;
  }
};

let world: HistoryWorld;
beforeEach(async () => {
  world = await openHistoryWorld();
});
afterEach(async () => world[Symbol.asyncDispose]());

const recordOf = async (rid: string, deps = world.deps): Promise<RecordView> =>
  getRecord(deps, { rid }, anna, signal);

describe("R-10 history is served by record", () => {
  test("a record tells what its entry and body say, to the byte", async () => {
    const spec = {
      type: "account.created",
      payload: { public_id: "a-1", big: 1 },
      metadata: { event_id: "e-1" },
    };
    const text = eventText(spec).replace(`"big":1`, `"big": 9007199254740993`);
    const [row] = await world.publish({ text });
    const view = await recordOf(row?.rid ?? "");
    expect(view).toMatchObject({
      version: 1,
      kind: "change",
      action: "new",
      isActive: true,
      eventType: "account.created",
    });
    expect(view.check).toEqual({ leafHashMatches: true, bodyMatches: true, alteredFields: [] });
    const content = contentOf(view);
    expect(utf8(content?.event)).toBe(text);
    expect(utf8(content?.payload)).toBe(`{"public_id":"a-1","big": 9007199254740993}`);
    expect(JSON.parse(utf8(content?.metadata))).toMatchObject({ user_id: "789" });
    expect(content).toMatchObject({
      state: "complete",
      identity: { form: "metadata", parts: ["e-1"] },
      entityId: "a-1",
      traceId: "7b3bf470945611e89eb6529269fb1459",
      ownershipId: ownership,
      actor: { id: "789", ip: "192.168.1.100", role: "admin", type: "user" },
    });
  });

  test("payload and metadata of a structured CloudEvent are found inside its data", async () => {
    const data = JSON.parse(eventText({ payload: { public_id: "a-1", x: 1 } }));
    for (const carried of [{ data }, { data_base64: Buffer.from(JSON.stringify(data)).toString("base64") }]) {
      const text = JSON.stringify({
        specversion: "1.0",
        type: "account.updated",
        source: "team_service",
        id: Object.keys(carried)[0],
        ...carried,
      });
      const [row] = await world.publish({
        text,
        headers: [["content-type", Buffer.from("application/cloudevents+json")]],
      });
      const content = contentOf(await recordOf(row?.rid ?? ""));
      expect(JSON.parse(utf8(content?.payload))).toEqual({ public_id: "a-1", x: 1 });
      expect(content?.actor.id).toBe("789");
    }
  });

  test("a record is found by the producer's identity for the event", async () => {
    const [row] = await world.publish({ headers: [["event_id", Buffer.from("h-1")]] });
    const eventId = { tenant: "", producerService: "team_service", form: "header", parts: ["h-1"] } as const;
    expect((await getRecord(world.deps, { eventId }, anna, signal)).rid).toBe(row?.rid);
    expect(
      await codeOf(getRecord(world.deps, { eventId: { ...eventId, form: "metadata" } }, anna, signal)),
    ).toBe("NOT_FOUND event_id");
  });

  test("what is no rid is refused, and a rid nobody has is not found", async () => {
    expect(await codeOf(recordOf("x"))).toBe("INVALID_ARGUMENT rid");
    expect(await codeOf(recordOf("AAAAAAAAAAAAAAAAAAAAAQ.0.77"))).toBe("NOT_FOUND rid");
  });
});

describe("columns find a record but never make an answer lie", () => {
  test("altered columns are named and the sealed values told", async () => {
    const [row] = await world.publish({ type: "account.created" });
    const deps = world.tampered((r) => ({
      ...r,
      version: 7,
      action: "delete",
      recordedAtMs: 5,
      projection: {
        ...r.projection,
        tenant: "other",
        entityId: "b",
        traceId: "t",
        actor: { ...r.projection.actor, id: "eve" },
      },
    }));
    const view = await recordOf(row?.rid ?? "", deps);
    expect(view).toMatchObject({ version: 1, action: "new", tenant: "default", isActive: true });
    expect([...view.check.alteredFields].sort()).toEqual([
      "action",
      "entity_id",
      "owner_id",
      "recorded_at",
      "tenant",
      "trace_id",
      "version",
    ]);
  });

  test("a body that contradicts its entry is told as broken", async () => {
    const [row, other] = await world.publish({}, { payload: { public_id: "b" } });
    const view = await recordOf(
      row?.rid ?? "",
      world.tampered((r) => ({ ...r, body: other?.body ?? r.body })),
    );
    expect(view.content).toEqual({ state: "broken" });
    expect(view.check.bodyMatches).toBe(false);
  });

  test("an entry that was altered is refused, a leaf hash that was altered is told", async () => {
    const [row] = await world.publish({});
    const rid = row?.rid ?? "";
    expect(
      await codeOf(
        recordOf(
          rid,
          world.tampered((r) => ({ ...r, entry: r.entry.replace('"ver":1', '"ver": 1') })),
        ),
      ),
    ).toBe("BODY_UNREADABLE");
    const view = await recordOf(
      rid,
      world.tampered((r) => ({ ...r, leafHash: new Uint8Array(32) })),
    );
    expect(view.check.leafHashMatches).toBe(false);
  });

  test("a record found under another entity is left out of its history, and named", async () => {
    const [mine] = await world.publish({});
    const [foreign] = await world.publish({ payload: { public_id: "b" } });
    if (foreign === undefined) throw new Error("not published");
    const deps = world.tampered((r) => (r.rid === mine?.rid ? foreign : r));
    const page = await getHistory(deps, history, anna, signal);
    expect(page).toMatchObject({ records: [], alteredRids: [foreign.rid] });
    expect(await codeOf(getState(deps, { entity: account, asOf: undefined }, anna, signal))).toBe(
      "BODY_UNREADABLE",
    );
  });
});

describe("a destroyed key", () => {
  test("of the ownership leaves what the entry says", async () => {
    const [row] = await world.publish({ type: "account.created" });
    const view = await recordOf(row?.rid ?? "", world.withoutKeys("s"));
    expect(view).toMatchObject({ version: 1, action: "new", content: { state: "erased" } });
    expect(view.check.bodyMatches).toBe(true);
    expect(
      await getState(world.withoutKeys("s"), { entity: account, asOf: undefined }, anna, signal),
    ).toMatchObject({
      found: true,
      state: { kind: "erased", deleted: false },
      text: undefined,
    });
  });

  test("of the actor leaves null in its place", async () => {
    const [row] = await world.publish({});
    const content = contentOf(await recordOf(row?.rid ?? "", world.withoutKeys("a")));
    expect(content).toMatchObject({ state: "partly_erased", actor: { role: "admin", type: "user" } });
    expect(content?.actor.id).toBeUndefined();
    expect(JSON.parse(utf8(content?.event)).metadata).toMatchObject({ user_id: null, user_ip: null });
  });
});

test.each([
  ["ownership", 0, "s", ["complete", "broken"]],
  ["actor", 1, "a", ["broken", "broken"]],
] as const)(
  "a key of the %s that does not open leaves what it closes broken, never erased, until it is restored; others are told",
  async (_, part, keyClass, damaged) => {
    const [row] = await world.publish(
      {},
      { metadata: { ownership_id: "2b08116e-74ff-4e71-8a17-26011cfea33f" } },
    );
    const kid = row?.kids[part];
    if (kid === undefined) throw new Error("no key");
    const repair = await damageKey(world.store.keys, { class: keyClass, kid });
    const states = async (): Promise<readonly string[]> =>
      (await getHistory(world.deps, history, anna, signal)).records.map(({ content }) => content.state);
    expect(await states()).toEqual(damaged);
    expect(await codeOf(getState(world.deps, { entity: account, asOf: { version: 1 } }, anna, signal))).toBe(
      "BODY_UNREADABLE",
    );
    await repair();
    expect(await states()).toEqual(["complete", "complete"]);
  },
);

describe("R-10 history is served by entity and version", () => {
  beforeEach(async () => {
    await world.publish({ type: "account.created", payload: { public_id: "a-1", n: 1 } });
    await world.publish(
      { payload: { public_id: "a-1", n: 2 } },
      { type: "account.viewed" },
      { payload: { public_id: "a-1", n: 3 } },
    );
  });
  const versions = async (over: object): Promise<string[]> =>
    (await getHistory(world.deps, { ...history, ...over }, anna, signal)).records.map(
      (r) => `${r.kind[0]}${r.version}${r.isActive ? "*" : ""}`,
    );

  test("versions come newest first or oldest first, changes before activities, inactive ones when asked", async () => {
    expect(await versions({})).toEqual(["c3*", "c2", "c1"]);
    expect(await versions({ order: "asc", kinds: ["activity", "change"] })).toEqual([
      "c1",
      "c2",
      "c3*",
      "a1",
    ]);
    expect(await versions({ includeInactive: false })).toEqual(["c3*"]);
    expect(await versions({ includeInactive: false, kinds: ["change", "activity"] })).toEqual(["c3*", "a1"]);
    expect(await versions({ kinds: ["activity"] })).toEqual(["a1"]);
    expect(await versions({ entity: { ...account, entityId: "none" } })).toEqual([]);
    await world.publish({ type: "account.removed" });
    expect(await versions({ includeInactive: false })).toEqual([]);
  });

  test("pages lead through both kinds, each record once", async () => {
    for (const order of ["asc", "desc"] as const) {
      const seen: string[] = [];
      for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
        const request = { ...history, kinds: ["change", "activity"], order, pageSize: 1, pageToken } as const;
        const page = await getHistory(world.deps, request, anna, signal);
        seen.push(...page.records.map((r) => `${r.kind[0]}${r.version}`));
        pageToken = page.nextPageToken;
      }
      expect(seen).toEqual(order === "asc" ? ["c1", "c2", "c3", "a1"] : ["c3", "c2", "c1", "a1"]);
    }
  });

  test("a page token of another caller or entity is refused", async () => {
    const { nextPageToken: pageToken } = await getHistory(
      world.deps,
      { ...history, pageSize: 1 },
      anna,
      signal,
    );
    expect(
      await codeOf(getHistory(world.deps, { ...history, pageToken }, { ...anna, id: "bob" }, signal)),
    ).toBe("INVALID_ARGUMENT page_token");
    const entity = { ...account, entityId: "b" };
    expect(await codeOf(getHistory(world.deps, { ...history, entity, pageToken }, anna, signal))).toBe(
      "INVALID_ARGUMENT page_token",
    );
  });

  test("entities that share a candidate id are named", async () => {
    await world.publish({ payload: { public_id: "p", id: "7" } }, { payload: { id: "7" } });
    const page = await getHistory(
      world.deps,
      { ...history, entity: { ...account, entityId: "7" } },
      anna,
      signal,
    );
    expect(page.seeAlso.map(({ entityId }) => entityId)).toEqual(["p"]);
  });

  test("differences between versions are told with old and new values", async () => {
    const compared = await compareVersions(
      world.deps,
      { entity: account, fromVersion: 1, toVersion: 3 },
      anna,
      signal,
    );
    expect(compared.differences).toEqual([{ op: "replace", path: "/n", oldValue: "1", newValue: "3" }]);
    expect(
      await codeOf(
        compareVersions(world.deps, { entity: account, fromVersion: 1, toVersion: 4 }, anna, signal),
      ),
    ).toBe("NOT_FOUND to_version");
    await world.publish({ type: "account.removed" });
    const gone = await compareVersions(
      world.deps,
      { entity: account, fromVersion: 3, toVersion: 4 },
      anna,
      signal,
    );
    expect(gone.differences).toEqual([
      { op: "replace", path: "", oldValue: '{"public_id":"a-1","n":3}', newValue: "null" },
    ]);
  });

  test("of two versions neither is asked for unless both may be: what nobody waits for would end the process", async () => {
    const unheard: unknown[] = [];
    const note = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", note);
    for (const [fromVersion, toVersion] of [
      [99, 0],
      [0, 99],
      [99, -1],
    ] as const) {
      const question = { entity: account, fromVersion, toVersion };
      expect(await codeOf(compareVersions(world.deps, question, anna, signal))).toMatch(/^INVALID_ARGUMENT /);
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unheard).toEqual([]);
  });
});

describe("R-07 R-10 the state of an entity as of a version or a moment", () => {
  const shown = (answer: StateAnswer): string =>
    answer.found ? `${answer.state.deleted ? "deleted " : ""}${utf8(answer.text)}` : "not found";
  const state = async (asOf: Parameters<typeof getState>[1]["asOf"]): Promise<string> =>
    shown(await getState(world.deps, { entity: account, asOf }, anna, signal));

  test("whole states: by version, by recording, by the producer's time, and after a deletion", async () => {
    const payload = (n: number) => ({ public_id: "a-1", n });
    await world.publish({ payload: payload(1), timestamp: "2024-06-22T10:00:00Z" });
    const firstMs = world.nowMs();
    await world.publish({ payload: payload(2), timestamp: "2024-06-22T11:00:00Z" });
    await world.publish({ type: "account.removed" });
    expect(await state(undefined)).toBe(`deleted {"public_id":"a-1","n":2}`);
    expect(await state({ version: 1 })).toBe(`{"public_id":"a-1","n":1}`);
    expect(await state({ recordedAtMs: firstMs })).toBe(`{"public_id":"a-1","n":1}`);
    expect(await state({ recordedAtMs: firstMs - 1 })).toBe("not found");
    expect(await state({ actionAtMs: Date.parse("2024-06-22T11:30:00Z") })).toBe(`{"public_id":"a-1","n":2}`);
    expect(await codeOf(getState(world.deps, { entity: account, asOf: { version: 0 } }, anna, signal))).toBe(
      "INVALID_ARGUMENT version",
    );
  });

  test("merge patches are folded over the previous state, over more than one chunk", async () => {
    await using merging = await openMergingWorld();
    await merging.publish({ type: "account.created", payload: { public_id: "a-1", gone: true } });
    await merging.publish({ type: "account.patched", payload: { public_id: "a-1", gone: null } });
    for (let n = 0; n < 40; n++)
      await merging.publish({ type: "account.patched", payload: { public_id: "a-1", [`k${n % 3}`]: n } });
    expect(shown(await getState(merging.deps, { entity: account, asOf: undefined }, anna, signal))).toBe(
      `{"public_id":"a-1","k0":39,"k1":37,"k2":38}`,
    );
  });

  test("R-07 the state that a first patch makes is told, not the patch", async () => {
    await using merging = await openMergingWorld();
    await merging.publish({
      type: "account.patched",
      payload: { public_id: "a-1", b: null, c: { d: null } },
    });
    const now = () => getState(merging.deps, { entity: account, asOf: undefined }, anna, signal);
    expect(shown(await now())).toBe('{"public_id":"a-1","c":{}}');
    await merging.publish({ type: "account.removed", payload: { public_id: "a-1" } });
    expect(shown(await now())).toBe('deleted {"public_id":"a-1","c":{}}');
  });

  async function openMergingWorld(): Promise<HistoryWorld> {
    const parsed = parseCatalogue(
      JSON.stringify({
        version: 1,
        events: { "account.patched": { action: "update", payload_is: "merge" } },
      }),
    );
    if (!parsed.ok) throw new Error(parsed.errors.join());
    return openHistoryWorld(parsed.catalogue);
  }
});
