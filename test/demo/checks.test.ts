import { expect, test } from "@jest/globals";
import { checkReport } from "../../src/demo/checks.ts";
import { makeDay } from "../../src/demo/day.ts";
import type { Place } from "../../src/demo/publish.ts";
import type { Report } from "../../src/demo/report.ts";

const day = makeDay("a1b2c3d4", Date.UTC(2026, 10, 21, 12));
const src = "AAAAAAAAAAAAAAAAAAAAAA.0";
const srcOf = new Map([[0, src]]);
const places: readonly Place[] = day.messages.map((_, offset) => ({ partition: 0, offset }));
const rid = (at: number): string => `${src}.${at}`;
const { hero } = day;
const actions: Record<string, string> = {
  "account.created": "new",
  "account.updated": "update",
  "account.disabled": "disable",
  "account.enabled": "enable",
};

/** What a service answers that keeps every promise of the day. */
function honestReport(): Report {
  const all = day.messages.map((message, at) => ({ message, at }));
  const stored = all.filter(({ message }) => message.promised.kind === "stored");
  const changes = stored.filter(
    ({ message }) => message.key === hero.entity.entityId && message.eventType in actions,
  );
  const owned = stored.filter(({ message }) => message.ownershipId === hero.ownershipId);
  const iso = (ms: number | undefined): string => new Date(ms ?? 0).toISOString();
  const letter = { pointer: "", sentence: "", at: "" };
  return {
    outcomes: day.promised,
    history: changes.map(({ message, at }, index) => ({
      rid: rid(at),
      version: index + 1,
      action: actions[message.eventType] ?? "",
      eventType: message.eventType,
      actionAt: iso(message.atMs),
      actor: "",
      isActive: index === changes.length - 1,
      sealedAndWhole: true,
      differences: [],
    })),
    activities: 2,
    state: {
      asOf: iso(hero.momentMs),
      version: 2,
      deleted: false,
      state: JSON.parse(String(changes[1]?.message.value)).payload,
    },
    ownership: {
      ownershipId: hero.ownershipId,
      firstEventAt: iso(owned[0]?.message.atMs),
      lastEventAt: iso(owned.at(-1)?.message.atMs),
      producers: ["billing_service", "identity_service", "team_service"],
      records: { "any.event": owned.length },
    },
    deadLetters: all.flatMap(({ message: { promised }, at }): Report["deadLetters"] => {
      if (promised.kind === "rejected")
        return [{ ...letter, rid: rid(at), kind: promised.kind, reason: promised.reason, originalRid: "" }];
      if (promised.kind === "conflict")
        return [{ ...letter, rid: rid(at), kind: promised.kind, reason: "", originalRid: rid(promised.of) }];
      return [];
    }),
    duplicates: all.flatMap(({ message: { promised }, at }) =>
      promised.kind === "duplicate" ? [{ rid: rid(at), originalRid: rid(promised.of) }] : [],
    ),
  };
}

const disagreeing = (report: Report): readonly string[] =>
  checkReport(day, places, srcOf, report).flatMap(({ what, agrees }) => (agrees ? [] : [what]));

const honest = honestReport();

test("a service that keeps every promise passes every check", () => {
  expect(disagreeing(honest)).toEqual([]);
});

test("an event that was lost is noticed", () => {
  const outcomes = { ...honest.outcomes, stored: honest.outcomes.stored - 1 };
  expect(disagreeing({ ...honest, outcomes })).toEqual([
    "messages that became stored",
    "messages with an outcome",
  ]);
});

test("a dead letter with another reason is noticed although the counts agree", () => {
  const [first, ...others] = honest.deadLetters;
  if (first === undefined) throw new Error("no dead letter");
  const deadLetters = [{ ...first, reason: "INTERNAL" }, ...others];
  expect(disagreeing({ ...honest, deadLetters })).toEqual(["which messages became dead letters, and why"]);
});

test("a duplicate of another record is noticed", () => {
  const duplicates = honest.duplicates.map((one) => ({ ...one, originalRid: rid(0) }));
  expect(disagreeing({ ...honest, duplicates })).toEqual(["which messages are duplicates, and of which"]);
});

test("a hole in the history, two active versions and a record that contradicts its seal are noticed", () => {
  const history = honest.history.slice(1).map((one) => ({ ...one, isActive: true, sealedAndWhole: false }));
  expect(disagreeing({ ...honest, history })).toEqual([
    "versions of the account",
    "active versions of the account",
    "versions that agree with what is sealed",
  ]);
});

test("another state, another producer and a record too many are noticed", () => {
  const state = { ...honest.state, state: { name: "Jane Roe" } };
  const ownership = { ...honest.ownership, producers: ["team_service"], records: { "any.event": 1 } };
  expect(disagreeing({ ...honest, state, ownership })).toEqual([
    "state of the account at that moment",
    "producers that hold data of this person",
    "records about this person",
  ]);
});
