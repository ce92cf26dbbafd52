/** RFC 3339 timestamps of producers, checked to the calendar day. `Date.parse` is never used: it guesses zones and days. */
import type { RejectReason } from "./outcome.ts";

export type Timestamp =
  | { readonly ok: true; readonly ms: number; readonly leapSecond: boolean }
  | { readonly ok: false; readonly reason: RejectReason; readonly expected: string };

const refused = (reason: RejectReason, expected: string): Timestamp => ({ ok: false, reason, expected });

const form = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?$/;
const expandedYear = /^[+-]\d{6}-\d\d-\d\d/;
const yearMin = 2000;
const yearMs = 366 * 86_400_000;
const dayMinutes = 1_440;

const notRfc3339 = refused(
  "TIMESTAMP",
  "must be an RFC 3339 date and time such as 2024-06-22T12:00:00Z, of a day and time that exist",
);
const noZone = refused("TIMESTAMP_ZONE", "must end with its zone: Z or an offset such as -03:00");
const outOfRange = refused("TIMESTAMP_RANGE", "must lie between the year 2000 and one year from now");

/** Minutes east of UTC, or undefined when there is no such offset. */
function offsetMinutes(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

const daysOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** The instant in ms; digits beyond the millisecond are cut. A leap second counts as the last millisecond before it. */
export function parseTimestamp(text: string, nowMs: number): Timestamp {
  const match = form.exec(text);
  if (match === null) return expandedYear.test(text) ? outOfRange : notRfc3339;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  const zone = match[8];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return notRfc3339;
  if (zone === undefined) return noZone;
  const offset = offsetMinutes(zone);
  if (offset === undefined) return notRfc3339;
  if (year < yearMin - 1) return outOfRange;
  if (day > daysOf(year, month)) return notRfc3339;
  const leapSecond = second === 60;
  const utcMinute = (hour * 60 + minute - offset + dayMinutes) % dayMinutes;
  if (leapSecond && utcMinute !== dayMinutes - 1) return notRfc3339;
  const millisecond = leapSecond ? 999 : Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const ms =
    Date.UTC(year, month - 1, day, hour, minute, leapSecond ? 59 : second, millisecond) - offset * 60_000;
  if (ms < Date.UTC(yearMin, 0, 1) || ms > nowMs + yearMs) return outOfRange;
  return { ok: true, ms, leapSecond };
}
