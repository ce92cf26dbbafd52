import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { JsonValue } from "../../src/core/json.ts";
import { compareVersions } from "../../src/query/compare-versions.ts";
import { getState } from "../../src/query/get-state.ts";
import { type Change, type ListChangesRequest, listChanges } from "../../src/query/list-changes.ts";
import { pageBytesMax } from "../../src/query/page.ts";
import {
  anna,
  type EventSpec,
  eventText,
  type HistoryWorld,
  openHistoryWorld,
} from "../support/history-world.ts";

const signal = new AbortController().signal;
const entity = { tenant: "", namespace: "team_service", entityType: "account", entityId: "a-1" };
const everything: ListChangesRequest = {
  entity,
  fromVersion: 0,
  toVersion: 0,
  recordedFromMs: undefined,
  recordedToMs: undefined,
  pageSize: 0,
  pageToken: "",
};

let world: HistoryWorld;
beforeEach(async () => {
  const parsed = parseCatalogue(
    JSON.stringify({ version: 1, events: { "account.patched": { action: "update", payload_is: "merge" } } }),
  );
  if (!parsed.ok) throw new Error(parsed.errors.join());
  world = await openHistoryWorld(parsed.catalogue);
});
afterEach(async () => world[Symbol.asyncDispose]());

const publish = (verb: string, more: object = {}): Promise<unknown> => world.publish(spec(verb, more));
const spec = (verb: string, more: object = {}): EventSpec => ({
  type: `account.${verb}`,
  payload: { public_id: "a-1", ...more },
});
const ask = async (over: Partial<ListChangesRequest> = {}, deps = world.deps): Promise<readonly Change[]> =>
  (await listChanges(deps, { ...everything, ...over }, anna, signal)).changes;
const versionsOf = (changes: readonly Change[]) => changes.map(({ record }) => record.version);
const json = (text: string | undefined): JsonValue | undefined =>
  text === undefined ? undefined : JSON.parse(text);
const values = ({ oldValues, newValues }: Change) => ({ old: json(oldValues), new: json(newValues) });
const codeOf = async (act: Promise<unknown>): Promise<string> =>
  act.then(
    () => "answered",
    (error: unknown) =>
      error instanceof LastroError ? `${error.code} ${error.field ?? ""}`.trim() : String(error),
  );

/** Created, changed in two ways, disabled, removed, and made again. */
async function live(): Promise<void> {
  await publish("created", { name: "Ana", plan: "free", tags: ["a"] });
  await publish("updated", { name: "Ana", plan: "gold", tags: ["a", "b"] });
  await publish("patched", { plan: null, seats: 3 });
  await publish("removed");
  await publish("created", { name: "Bia" });
}

describe("R-61 changes over a range", () => {
  test("R-61 each version tells old values, new values and the difference: only what changed, and for a first or last version the whole", async () => {
    await live();
    const changes = await ask();
    expect(versionsOf(changes)).toEqual([1, 2, 3, 4, 5]);
    expect(changes.map(values)).toEqual([
      { old: undefined, new: { public_id: "a-1", name: "Ana", plan: "free", tags: ["a"] } },
      { old: { plan: "free", tags: ["a"] }, new: { plan: "gold", tags: ["a", "b"] } },
      { old: { plan: "gold" }, new: { seats: 3 } },
      { old: { public_id: "a-1", name: "Ana", seats: 3, tags: ["a", "b"] }, new: undefined },
      { old: undefined, new: { public_id: "a-1", name: "Bia" } },
    ]);
    expect(changes[1]?.differences).toEqual([
      { op: "replace", path: "/plan", oldValue: '"free"', newValue: '"gold"' },
      { op: "add", path: "/tags/-", newValue: '"b"' },
    ]);
    expect(changes[0]?.record.eventType).toBe("account.created");
  });

  test("R-61 the difference of each version is what CompareVersions says between it and the one before", async () => {
    await live();
    for (const { record, differences } of (await ask()).slice(1)) {
      const question = { entity, fromVersion: record.version - 1, toVersion: record.version };
      expect(differences).toEqual((await compareVersions(world.deps, question, anna, signal)).differences);
    }
  });

  test("R-61 numbers that a double does not hold keep their digits in changes, comparisons and states", async () => {
    const account = (verb: string, number: string): EventSpec => ({
      text: eventText(spec(verb, { account_number: 0 })).replace(
        '"account_number":0',
        `"account_number":${number}`,
      ),
    });
    await world.publish(account("created", "9007199254740993"));
    await world.publish(account("updated", "9007199254740992"));
    await world.publish(account("patched", "0.10000000000000000001"));
    await publish("patched", { seats: 3 });
    const difference = { op: "replace", path: "/account_number" };
    const changes = await ask();
    expect(changes.map(({ differences }) => differences).slice(1)).toEqual([
      [{ ...difference, oldValue: "9007199254740993", newValue: "9007199254740992" }],
      [{ ...difference, oldValue: "9007199254740992", newValue: "0.10000000000000000001" }],
      [{ op: "add", path: "/seats", newValue: "3" }],
    ]);
    expect(changes.map(({ oldValues, newValues }) => [oldValues, newValues])).toEqual([
      [undefined, '{"public_id":"a-1","account_number":9007199254740993}'],
      ['{"account_number":9007199254740993}', '{"account_number":9007199254740992}'],
      ['{"account_number":9007199254740992}', '{"account_number":0.10000000000000000001}'],
      ["{}", '{"seats":3}'],
    ]);
    const compared = await compareVersions(
      world.deps,
      { entity, fromVersion: 1, toVersion: 2 },
      anna,
      signal,
    );
    expect(compared.differences).toEqual(changes[1]?.differences);
    const folded = await getState(world.deps, { entity, asOf: undefined }, anna, signal);
    expect(new TextDecoder().decode(folded.found ? folded.text : undefined)).toBe(
      '{"public_id":"a-1","account_number":0.10000000000000000001,"seats":3}',
    );
  });

  test("R-61 a range is named by versions, by times, or by both, and begins with the state before it", async () => {
    await live();
    const whole = await ask();
    const at = (version: number): number => whole[version - 1]?.record.recordedAtMs ?? 0;
    const cases: readonly (readonly [Partial<ListChangesRequest>, readonly number[]])[] = [
      [{ fromVersion: 2, toVersion: 3 }, [2, 3]],
      [{ fromVersion: 4 }, [4, 5]],
      [{ toVersion: 99 }, [1, 2, 3, 4, 5]],
      [{ fromVersion: 6 }, []],
      [{ recordedFromMs: at(2), recordedToMs: at(4) }, [2, 3]],
      [{ recordedFromMs: at(5) }, [5]],
      [{ recordedToMs: at(1) }, []],
      [{ fromVersion: 3, recordedToMs: at(4) + 1 }, [3, 4]],
    ];
    for (const [over, expected] of cases) {
      const changes = await ask(over);
      expect([over, versionsOf(changes)]).toEqual([over, expected]);
      expect(changes.map(values)).toEqual(
        whole.filter(({ record }) => expected.includes(record.version)).map(values),
      );
    }
    expect(await ask({ entity: { ...entity, entityId: "nobody" } })).toEqual([]);
  });

  test("R-61 pages of any size give each change once, also while versions are added", async () => {
    for (let n = 0; n < 130; n++) await publish("patched", { n, [`k${n % 7}`]: n });
    const whole = (await ask({ pageSize: 1_000 })).map(values);
    for (const pageSize of [1, 63, 64, 65, 129]) {
      const seen: ReturnType<typeof values>[] = [];
      for (let pageToken = ""; ; ) {
        const page = await listChanges(
          world.deps,
          { ...everything, toVersion: 130, pageSize, pageToken },
          anna,
          signal,
        );
        expect(page.changes.length).toBeLessThanOrEqual(pageSize);
        seen.push(...page.changes.map(values));
        if (seen.length === pageSize) await publish("patched", { late: pageSize });
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
      expect([pageSize, seen]).toEqual([pageSize, whole]);
    }
  });

  test("R-61 a page closes on bytes and still has a change", async () => {
    const large = "x".repeat(200_000);
    for (let n = 0; n < 12; n++) await publish("updated", { n, a: `${n}${large}`, b: large, c: large });
    const page = await listChanges(world.deps, { ...everything, pageSize: 1_000 }, anna, signal);
    expect(page.changes.length).toBeGreaterThan(0);
    expect(page.changes.length).toBeLessThan(12);
    expect(page.nextPageToken).not.toBe("");
  });

  test("R-61 long paths count: whatever an event changes, its change fits a page", async () => {
    const members = (count: number, value: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, value]));
    const nested = (value: number): object =>
      Array.from({ length: 28 }, (_, i) => `${i}`.padEnd(250, "k")).reduce<object>(
        (inner, key) => ({ [key]: inner }),
        members(3_000, value),
      );
    for (let value = 0; value < 3; value++) await publish("updated", { deep: nested(value) });
    const wide = "w".repeat(250);
    for (let value = 0; value < 14; value++) await publish("updated", { [wide]: members(1_500, value) });
    const { changes, nextPageToken } = await listChanges(
      world.deps,
      { ...everything, pageSize: 1_000 },
      anna,
      signal,
    );
    expect(changes.length).toBeLessThan(17);
    expect(nextPageToken).not.toBe("");
    const told = changes.map(({ record, ...rest }) => rest);
    expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThan(pageBytesMax);
    expect(changes[1]?.differences).toMatchObject([{ op: "replace" }]);
    expect(changes[4]?.differences).toHaveLength(1_500);
  });

  test("R-61 what was erased gives no values, and says so", async () => {
    await live();
    const changes = await ask({}, world.withoutKeys("s"));
    expect(
      changes.map(({ erased, oldValues, newValues, differences }) => [
        erased,
        oldValues,
        newValues,
        differences.length,
      ]),
    ).toEqual(changes.map(() => [true, undefined, undefined, 0]));
  });

  test("R-61 a record that an altered column put in the place of another is never told as its change", async () => {
    await live();
    const [other] = await world.publish(spec("updated", { plan: "planted" }));
    const swapped = world.tampered((row) => (row.version === 2 && other ? { ...other, version: 2 } : row));
    expect(await codeOf(ask({}, swapped))).toBe("BODY_UNREADABLE");
  });

  test("R-61 a range that cannot be is refused with its field", async () => {
    await live();
    for (const [over, field] of [
      [{ fromVersion: -1 }, "from_version"],
      [{ fromVersion: 3, toVersion: 2 }, "to_version"],
      [{ recordedFromMs: 5, recordedToMs: 5 }, "recorded_to"],
      [{ pageToken: "AAAA" }, "page_token"],
    ] as const)
      expect(await codeOf(ask(over))).toBe(`INVALID_ARGUMENT ${field}`);
  });
});
