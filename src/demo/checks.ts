/** Holds what the service answered against what the day promised. The demo fails when one of these does not agree. */
import { isDeepStrictEqual } from "node:util";
import { outcomeKinds } from "../core/outcome.ts";
import type { Day, DayMessage } from "./day.ts";
import type { SrcOf } from "./intake.ts";
import type { Place } from "./publish.ts";
import type { Report } from "./report.ts";

export type Check = {
  readonly what: string;
  readonly promised: unknown;
  readonly found: unknown;
  readonly agrees: boolean;
};

const actionOf: Readonly<Record<string, string>> = {
  created: "new",
  updated: "update",
  disabled: "disable",
  enabled: "enable",
};

export function checkReport(
  day: Day,
  places: readonly Place[],
  srcOf: SrcOf,
  report: Report,
): readonly Check[] {
  const ridOf = (at: number): string => {
    const place = places[at];
    return place === undefined ? "" : `${srcOf.get(place.partition)}.${place.offset}`;
  };
  const heroChanges = day.messages.flatMap((message, at) =>
    isChangeOf(day, message) ? [{ message, at }] : [],
  );
  const owned = day.messages.filter(
    (one) => one.ownershipId === day.hero.ownershipId && one.promised.kind === "stored",
  );
  const then = heroChanges.filter(({ message }) => message.atMs <= day.hero.momentMs).at(-1);
  const compared: readonly Omit<Check, "agrees">[] = [
    ...outcomeKinds.map((kind) => ({
      what: `messages that became ${kind}`,
      promised: day.promised[kind],
      found: report.outcomes[kind],
    })),
    {
      what: "messages with an outcome",
      promised: day.messages.length,
      found: outcomeKinds.reduce((sum, kind) => sum + report.outcomes[kind], 0),
    },
    {
      what: "which messages became dead letters, and why",
      promised: promisedLetters(day, ridOf),
      found: report.deadLetters
        .map(({ rid, kind, reason, originalRid }) => `${rid} ${kind} ${reason || originalRid}`)
        .sort(),
    },
    {
      what: "which messages are duplicates, and of which",
      promised: day.messages
        .flatMap(({ promised }, at) =>
          promised.kind === "duplicate" ? [`${ridOf(at)} ${ridOf(promised.of)}`] : [],
        )
        .sort(),
      found: report.duplicates.map(({ rid, originalRid }) => `${rid} ${originalRid}`).sort(),
    },
    {
      what: "versions of the account",
      promised: heroChanges.map(
        ({ message, at }, index) => `${index + 1} ${actionOf[verbOf(message)]} ${ridOf(at)}`,
      ),
      found: report.history.map(({ version, action, rid }) => `${version} ${action} ${rid}`),
    },
    {
      what: "active versions of the account",
      promised: [heroChanges.length],
      found: report.history.filter(({ isActive }) => isActive).map(({ version }) => version),
    },
    {
      what: "versions that agree with what is sealed",
      promised: heroChanges.length,
      found: report.history.filter(({ sealedAndWhole }) => sealedAndWhole).length,
    },
    {
      what: "state of the account at that moment",
      promised: payloadOf(then?.message),
      found: report.state.state,
    },
    {
      what: "producers that hold data of this person",
      promised: [...new Set(owned.map(({ producer }) => producer))].sort(),
      found: report.ownership.producers,
    },
    {
      what: "first and last event about this person",
      promised: [owned[0], owned.at(-1)].map((one) => new Date(one?.atMs ?? 0).toISOString()),
      found: [report.ownership.firstEventAt, report.ownership.lastEventAt],
    },
    {
      what: "records about this person",
      promised: owned.length,
      found: Object.values(report.ownership.records).reduce((sum, count) => sum + count, 0),
    },
  ];
  return compared.map((check) => ({ ...check, agrees: isDeepStrictEqual(check.promised, check.found) }));
}

const verbOf = ({ eventType }: DayMessage): string => eventType.slice(eventType.lastIndexOf(".") + 1);

const isChangeOf = ({ hero }: Day, message: DayMessage): boolean =>
  message.key === hero.entity.entityId && message.promised.kind === "stored" && verbOf(message) in actionOf;

function promisedLetters(day: Day, ridOf: (at: number) => string): readonly string[] {
  const letters = day.messages.flatMap(({ promised }, at) => {
    if (promised.kind === "rejected") return [`${ridOf(at)} rejected ${promised.reason}`];
    return promised.kind === "conflict" ? [`${ridOf(at)} conflict ${ridOf(promised.of)}`] : [];
  });
  return letters.sort();
}

function payloadOf(message: DayMessage | undefined): unknown {
  const event: { readonly payload?: unknown } = JSON.parse(message?.value?.toString("utf8") ?? "{}");
  return event.payload;
}
