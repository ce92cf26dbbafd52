/** The report for people: tables of a terminal's width, colour only where it is wanted. */
import Table from "cli-table3";
import { outcomeKinds } from "../core/outcome.ts";
import { brokenKinds } from "./broken.ts";
import type { Check } from "./checks.ts";
import type { Day } from "./day.ts";
import type { DeadLetter, Difference, Report } from "./report.ts";

export type Style = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";
export type Paint = (style: Style, text: string) => string;

const valueCharsMax = 60;
const meanings = {
  stored: "a record of its own",
  duplicate: "delivered again; the first one stands",
  conflict: "an event id used twice for different events; dead letter",
  rejected: "broken; dead letter with its reason",
  gap: "never delivered by Kafka",
} as const;

export function printReport(
  day: Day,
  topic: string,
  report: Report,
  checks: readonly Check[],
  paint: Paint,
): string {
  const sections = [
    intro(day, topic, paint),
    outcomesTable(day, report, paint),
    historyTable(day, report, paint),
    stateText(report, paint),
    ownershipText(report, paint),
    lettersTable(report.deadLetters, paint),
    checksText(checks, paint),
  ];
  return `${sections.join("\n\n")}\n`;
}

const title = (paint: Paint, text: string, note: string): string =>
  `${paint("bold", text)}  ${paint("dim", note)}`;

const table = (paint: Paint, head: readonly string[], widths: readonly (number | null)[]) =>
  new Table({
    head: head.map((text) => paint("cyan", text)),
    colWidths: [...widths],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });

function intro({ run, messages }: Day, topic: string, paint: Paint): string {
  const [first, last] = [messages[0], messages.at(-1)].map((one) =>
    shortTime(new Date(one?.atMs ?? 0).toISOString()),
  );
  return `${paint("bold", `Lastro demo, run ${run}`)}
${messages.length} messages of three producers, ${first} to ${last} UTC, on the topic ${topic}, tenant demo.
The run's name is in every entity id, ownership id and event id, so that each run is new data.`;
}

function outcomesTable(day: Day, { outcomes }: Report, paint: Paint): string {
  const rows = table(paint, ["outcome", "published", "counted", "what it means"], [null, null, null, 60]);
  for (const kind of outcomeKinds) {
    const agrees = day.promised[kind] === outcomes[kind];
    rows.push([
      kind,
      number(day.promised[kind]),
      paint(agrees ? "green" : "red", number(outcomes[kind])),
      meanings[kind],
    ]);
  }
  const sum = outcomeKinds.reduce((total, kind) => total + outcomes[kind], 0);
  rows.push([paint("bold", "all"), number(day.messages.length), paint("bold", number(sum)), ""]);
  return `${title(paint, "What became of them", "OperationsService.GetIntake, for exactly the offsets published")}\n${rows}`;
}

function historyTable({ hero }: Day, { history, activities }: Report, paint: Paint): string {
  const rows = table(
    paint,
    ["v", "action", "when (UTC)", "by", "active", "what changed since the version before"],
    [4, 9, 13, 11, 8, 66],
  );
  for (const one of history)
    rows.push([
      String(one.version),
      one.action,
      shortTime(one.actionAt),
      one.actor,
      one.isActive ? paint("green", "yes") : "no",
      one.version === 1
        ? paint("dim", "the reference event, with the ids and the time of this run")
        : differencesText(one.differences, paint),
    ]);
  const note = "HistoryService.GetHistory and CompareVersions";
  return `${title(paint, `The life of account ${hero.entity.entityId}`, note)}\n${rows}\nBesides, ${activities} reads that changed nothing, numbered on their own.`;
}

const differencesText = (differences: readonly Difference[], paint: Paint): string =>
  differences
    .map((one) => {
      const before = "before" in one ? paint("red", valueText(one.before)) : undefined;
      const after = "after" in one ? paint("green", valueText(one.after)) : undefined;
      return `${one.op} ${one.path} ${[before, after].filter((text) => text !== undefined).join(" → ")}`;
    })
    .join("\n");

const valueText = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "";
  return text.length <= valueCharsMax ? text : `${text.slice(0, valueCharsMax)}…`;
};

function stateText({ state }: Report, paint: Paint): string {
  return `${title(paint, `The same account as of ${shortTime(state.asOf)} UTC`, "HistoryService.GetState")}
version ${state.version}${state.deleted ? ", deleted" : ""}: ${JSON.stringify(state.state, null, 2)}`;
}

function ownershipText({ ownership }: Report, paint: Paint): string {
  const records = Object.entries(ownership.records).map(([type, count]) => `${type} ${count}`);
  const rows = table(paint, ["", ""], [14, 80]);
  rows.options.head = [];
  rows.push(
    ["ownership", ownership.ownershipId],
    ["events", `${shortTime(ownership.firstEventAt)} to ${shortTime(ownership.lastEventAt)} UTC`],
    ["producers", ownership.producers.join(", ")],
    ["records", records.sort().join(", ")],
  );
  return `${title(paint, "Whose data it is", "OwnershipService.GetOwnership and ListOwnedRecords")}\n${rows}`;
}

function lettersTable(letters: readonly DeadLetter[], paint: Paint): string {
  const rows = table(
    paint,
    ["times", "reason and where", "how it came about", "what the producer is told", "for example at"],
    [7, 30, 24, 48, null],
  );
  for (const same of Map.groupBy(letters, ({ kind, reason }) => reason || kind).values()) {
    const [one] = same;
    if (one === undefined) continue;
    rows.push([
      String(same.length),
      `${paint("yellow", one.reason || one.kind)}\n${one.pointer}`,
      brokenKinds.find(({ reason }) => reason === one.reason)?.story ??
        "an event id used again for another content",
      one.sentence || `The event id belongs to record ${one.originalRid}.`,
      one.at,
    ]);
  }
  return `${title(paint, "The dead letters and their reasons", "OperationsService.ListOutcomes")}\n${rows}`;
}

function checksText(checks: readonly Check[], paint: Paint): string {
  const lines = checks.map(
    ({ what, agrees }) => `${agrees ? paint("green", "✓") : paint("red", "✗")} ${what}`,
  );
  return `${title(paint, "Held against what was published", "")}\n${lines.join("\n")}`;
}

const number = (value: number): string => value.toLocaleString("en-US").padStart(6);

/** Month-day and time to the minute. */
const shortTime = (iso: string): string => `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
