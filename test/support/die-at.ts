/** Points at which a test ends the service, beside those the service tells of itself. */
import type { IntakePoint, LogPoint } from "../../src/ports/observer.ts";

/** Steps of one append: before the first row, with rows written and no reply, with the reply on its way back, and behind each follow-up. */
export const storePoints = ["appending", "inserted", "replied", "deactivated", "owned"] as const;
export type StorePoint = (typeof storePoints)[number];
/** `lettering`: dead letters were handed to Kafka, which has not acknowledged them. */
export type DyingPoint = IntakePoint | LogPoint | StorePoint | "lettering";

export type DieAt = {
  readonly point: DyingPoint;
  /** Which time. */
  readonly times: number;
  readonly signal?: "SIGSTOP";
};

export const dieAtText = ({ point, times, signal }: DieAt): string =>
  [point, times, signal ?? "SIGKILL"].join(":");

/** Ends or stops the process when the point is reached for that time. */
export function diesAt(text: string): (at: DyingPoint) => void {
  const [point, times, signal] = text.split(":");
  let reached = 0;
  return (at) => {
    if (at !== point) return;
    reached += 1;
    if (reached === Number(times)) process.kill(process.pid, signal);
  };
}

export const isStorePoint = (point: string): point is StorePoint => storePoints.some((one) => one === point);
