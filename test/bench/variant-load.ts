/** Loads beside the plain one: larger events, copies, broken ones. How many of each there are is known beforehand. */
import { eventStream, type KeyedEvent, seededRandom } from "./events.ts";
import { shape } from "./load.ts";

export type Load = {
  readonly name: string;
  /** Added to the note of each event; a plain one has about 770 bytes. */
  readonly moreBytes: number;
  readonly copies: number;
  readonly broken: number;
};

export const loads = {
  plain: { name: "770 bytes", moreBytes: 0, copies: 0, broken: 0 },
  large: { name: "8 KB", moreBytes: 7_400, copies: 0, broken: 0 },
  copied: { name: "30 % duplicates", moreBytes: 0, copies: 0.3, broken: 0 },
  poisoned: { name: "1 % poison", moreBytes: 0, copies: 0, broken: 0.01 },
} as const satisfies Readonly<Record<string, Load>>;

/** Copies are of one of so many events before them: some fall into their original's batch, some into a later one. */
const windowEvents = 50_000;
/** Text that does not repeat itself within an event. */
const hexDigits = 1 << 20;

function hexText(random: () => number): string {
  const words = Array.from({ length: hexDigits / 8 }, () => Math.floor(random() * 2 ** 32));
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** The outcome that the event at `n` gets: exact shares, evenly spread. */
export function fateAt(n: number, { copies, broken }: Load): "stored" | "duplicate" | "rejected" {
  const falls = (share: number): boolean => Math.floor((n + 1) * share) > Math.floor(n * share);
  if (falls(copies)) return "duplicate";
  return falls(broken) ? "rejected" : "stored";
}

/** The copy of an event is the same to the byte and has its key; a broken one lacks its last character. */
export function* variantLoad(count: number, load: Load): Generator<KeyedEvent> {
  const random = seededRandom(7);
  const digits = load.moreBytes > 0 ? hexText(random) : "";
  const stream = eventStream(7, shape);
  const recent: KeyedEvent[] = [];
  let originals = 0;
  for (let n = 0; n < count; n++) {
    const fate = fateAt(n, load);
    const copied = recent[Math.floor(random() * recent.length)];
    if (fate === "duplicate" && copied !== undefined) {
      yield copied;
      continue;
    }
    const { key, value } = stream.next().value as KeyedEvent;
    const from = Math.floor(random() * (hexDigits - load.moreBytes));
    const more = digits.slice(from, from + load.moreBytes);
    const event = { key, value: value.replace('"note":"', `"note":"${more}`) };
    if (fate === "rejected") yield { key, value: event.value.slice(0, -1) };
    else {
      yield event;
      if (load.copies > 0) recent[originals++ % windowEvents] = event;
    }
  }
}

export function outcomesOf(count: number, load: Load): ReadonlyMap<string, number> {
  const outcomes = new Map<string, number>();
  for (let n = 0; n < count; n++) {
    const fate = fateAt(n, load);
    outcomes.set(fate, (outcomes.get(fate) ?? 0) + 1);
  }
  return outcomes;
}
