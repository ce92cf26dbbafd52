/** Hours, days and months of a time zone, for counts by quarters of an hour. */
import { quarterMs } from "./summary-cells.ts";

export const timeBuckets = ["hour", "day", "month"] as const;
export type TimeBucket = (typeof timeBuckets)[number];

const quartersPerDay = (24 * 60 * 60_000) / quarterMs;
const minuteMs = 60_000;

/** Ms that clocks of the zone are ahead of UTC. Throws RangeError for a name that is none of a zone. */
function offsetReader(timeZone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset", year: "numeric" });
  return (atMs) => {
    const name = format.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const [, sign, hours = "0", minutes = "0"] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
    return (sign === "-" ? -minuteMs : minuteMs) * (60 * Number(hours) + Number(minutes));
  };
}

const two = (number: number): string => String(number).padStart(2, "0");
const offsetText = (ms: number): string =>
  `${ms < 0 ? "-" : "+"}${two(Math.floor(Math.abs(ms) / 3_600_000))}:${two((Math.abs(ms) / minuteMs) % 60)}`;

const lengths: Readonly<Record<TimeBucket, number>> = {
  hour: "2026-11-30T01".length,
  day: "2026-11-30".length,
  month: "2026-11".length,
};

/**
 * The bucket that holds a quarter: `2026-11`, `2026-11-30` or `2026-11-30T01:00:00-03:00`, by the clocks of the zone; texts of the earlier
 * sort first but for the hour that clocks repeat. Throws RangeError for a name that is none of a zone.
 */
export function bucketReader(bucket: TimeBucket, timeZone: string): (quarter: number) => string {
  const offsetAt = offsetReader(timeZone);
  const daily = new Map<number, number>();
  const offsetOfDay = (day: number): number => {
    const known = daily.get(day) ?? offsetAt(day * quartersPerDay * quarterMs);
    daily.set(day, known);
    return known;
  };
  // Clocks are asked for each quarter only on days on which they change.
  const offsetOf = (quarter: number): number => {
    const day = Math.floor(quarter / quartersPerDay);
    const offset = offsetOfDay(day);
    return offset === offsetOfDay(day + 1) ? offset : offsetAt(quarter * quarterMs);
  };
  const known = new Map<number, string>();
  const textOf = (quarter: number): string => {
    const offset = offsetOf(quarter);
    const text = new Date(quarter * quarterMs + offset).toISOString().slice(0, lengths[bucket]);
    return bucket === "hour" ? `${text}:00:00${offsetText(offset)}` : text;
  };
  return (quarter) => {
    const text = known.get(quarter) ?? textOf(quarter);
    known.set(quarter, text);
    return text;
  };
}
