/** The day: 2,000 messages of three producers, and what the service must make of each. The same for the same run and hour. */
import type { OutcomeCounts } from "../core/outcome.ts";
import { brokenKinds } from "./broken.ts";
import { type Chance, seededChance } from "./chance.ts";
import { livesOf } from "./lives.ts";
import {
  type Act,
  demoTenant,
  envelopeOf,
  jsonBytes,
  type Producer,
  type Promised,
  type Sent,
  sentOf,
} from "./message.ts";
import { drawPerson, drawStaff, type Person } from "./people.ts";
import { type Story, storyOf } from "./story.ts";

export const messagesOfDay = 2_000;
const shapeSeed = "um dia comum";
const redeliveriesOfDay = 60;
const [peopleOfDay, staffOfDay] = [48, 9];
const dayMs = 24 * 60 * 60_000;
/** The last events were a moment ago. */
const sinceLastMs = 60_000;
const redeliveredWithinMs = 30 * 60_000;

export type DayMessage = Sent & {
  readonly producer: Producer;
  readonly eventType: string;
  readonly ownershipId: string;
  readonly atMs: number;
  readonly promised: Promised;
};

/** The account the report looks at. */
export type Hero = {
  readonly entity: {
    readonly tenant: string;
    readonly namespace: string;
    readonly entityType: string;
    readonly entityId: string;
  };
  readonly ownershipId: string;
  /** For the question how the account was then. */
  readonly momentMs: number;
};

export type Day = {
  readonly run: string;
  readonly hero: Hero;
  /** In the order of publishing. */
  readonly messages: readonly DayMessage[];
  readonly promised: OutcomeCounts;
};

/** A message on its way to its place; `of` is the one it repeats. */
type Planned = Omit<DayMessage, "promised"> & {
  readonly promised: "stored" | { readonly as: "duplicate" | "conflict"; readonly of: Planned } | Promised;
};

export function makeDay(run: string, nowMs: number): Day {
  const [shape, ids] = [seededChance(shapeSeed), seededChance(run)];
  const startMs = nowMs - dayMs;
  const momentOf = (share: number): number => Math.floor(startMs + share * (dayMs - sinceLastMs));
  const story = storyOf(run, shape, ids);
  const told = story.steps.flatMap((step) => storyMessages(step, momentOf));
  const broken = brokenKinds.reduce((sum, { times }) => sum + times, 0);
  const deeds = lively(run, shape, ids, messagesOfDay - told.length - broken - redeliveriesOfDay, momentOf);
  const copies = Array.from({ length: redeliveriesOfDay }, () =>
    again(deeds[shape.below(deeds.length)] as Planned, momentOf(1), shape),
  );
  const spoiled = brokenMessages(run, shape, ids, momentOf);
  // Sorting is stable, so what has the same time keeps its order.
  const planned = [...told, ...deeds, ...copies, ...spoiled].sort((a, b) => a.atMs - b.atMs);
  return { run, hero: heroOf(story, momentOf), ...settle(planned) };
}

function settle(planned: readonly Planned[]): Pick<Day, "messages" | "promised"> {
  const placeOf = new Map(planned.map((one, place) => [one, place]));
  const promised = { stored: 0, duplicate: 0, conflict: 0, rejected: 0, gap: 0 };
  const messages = planned.map((one): DayMessage => {
    const promise = promiseOf(one.promised, placeOf);
    promised[promise.kind] += 1;
    return { ...one, promised: promise };
  });
  return { messages, promised };
}

function promiseOf(promised: Planned["promised"], placeOf: ReadonlyMap<Planned, number>): Promised {
  if (promised === "stored") return { kind: "stored" };
  if (!("as" in promised)) return promised;
  return { kind: promised.as, of: placeOf.get(promised.of) ?? 0 };
}

const heroOf = (story: Story, momentOf: (share: number) => number): Hero => ({
  entity: {
    tenant: demoTenant,
    namespace: "team_service",
    entityType: "account",
    entityId: story.accountId,
  },
  ownershipId: story.person.ownershipId,
  momentMs: momentOf(story.moment),
});

const stored = (act: Act): Planned => ({ ...about(act), ...sentOf(act), promised: "stored" });

const about = ({ producer, eventType, ownershipId, atMs }: Act) => ({
  producer,
  eventType,
  ownershipId,
  atMs,
});

function storyMessages(
  step: Story["steps"][number],
  momentOf: (share: number) => number,
): readonly Planned[] {
  const act: Act = { ...step.act, atMs: momentOf(step.at) };
  const first = stored(act);
  if (step.again === undefined) return [first];
  const atMs = momentOf(step.again.at);
  if (step.again.as === "copy") return [first, { ...first, atMs, promised: { as: "duplicate", of: first } }];
  const changed = envelopeOf({ ...act, payload: { ...act.payload, name: "Jane Roe" } });
  return [first, { ...first, atMs, value: jsonBytes(changed), promised: { as: "conflict", of: first } }];
}

function lively(
  run: string,
  shape: Chance,
  ids: Chance,
  count: number,
  momentOf: (share: number) => number,
): readonly Planned[] {
  const people = filled(peopleOfDay, (nth): Person => drawPerson(shape, ids, nth));
  const staff = filled(staffOfDay, (nth) => drawStaff(shape, nth));
  const lives = livesOf(run, people, staff, shape, ids);
  const shares = Array.from({ length: count }, () => busy(shape.next())).sort((a, b) => a - b);
  return shares.map((share) => stored({ ...lives.next().value, atMs: momentOf(share) }));
}

function filled<T>(count: number, make: (nth: number) => T): readonly [T, ...T[]] {
  return [make(0), ...Array.from({ length: count - 1 }, (_, at) => make(at + 1))];
}

/** Nobody works evenly: most of it happens around the middle. */
const busy = (even: number): number => even + (0.7 * Math.sin(2 * Math.PI * even)) / (-2 * Math.PI);

function again(first: Planned, latestMs: number, shape: Chance): Planned {
  const atMs = Math.min(first.atMs + 1 + shape.below(redeliveredWithinMs), latestMs);
  return { ...first, atMs, promised: { as: "duplicate", of: first } };
}

function brokenMessages(
  run: string,
  shape: Chance,
  ids: Chance,
  momentOf: (share: number) => number,
): readonly Planned[] {
  const person = drawPerson(shape, ids, peopleOfDay);
  const lives = livesOf(`${run}-broken`, [person], [drawStaff(shape, staffOfDay)], shape, ids);
  return brokenKinds.flatMap(({ reason, times, spoil }) =>
    Array.from({ length: times }, (): Planned => {
      const act: Act = { ...lives.next().value, atMs: momentOf(busy(shape.next())) };
      return { ...about(act), ...spoil(act), promised: { kind: "rejected", reason } };
    }),
  );
}
