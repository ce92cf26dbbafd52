/** ③ The next versions: pure. Versions follow the order of the partition; producer clocks never order anything. */
import type { ActionType } from "./event.ts";
import type { StreamAlias } from "./ids.ts";
import { activates, type Head } from "./record.ts";

export type Placeable = {
  /** `headKeyText` of the stream and kind. */
  readonly key: string;
  readonly action: ActionType | "none";
  readonly actionAtMs: number;
};

/** What becomes the head of its stream. */
export type Placement = Head & {
  /** Its producer timestamp is older than its predecessor's. */
  readonly late: boolean;
};

/**
 * Numbers `events` (offset order) after the heads. A record that a later one of the same call supersedes is inactive from the start.
 * recorded_at of version n = max(now, recorded_at of n−1).
 */
export function placeVersions(
  events: readonly Placeable[],
  heads: ReadonlyMap<string, Head>,
  nowMs: number,
  newAlias: () => StreamAlias,
): readonly Placement[] {
  const lastOf = new Map<string, number>();
  for (const [index, event] of events.entries()) lastOf.set(event.key, index);
  const tips = new Map<string, Head>();
  return events.map((event, index) => {
    const head = tips.get(event.key) ?? heads.get(event.key);
    const placement: Placement = {
      version: (head?.version ?? 0) + 1,
      alias: head?.alias ?? newAlias(),
      recordedAtMs: Math.max(nowMs, head?.recordedAtMs ?? 0),
      actionAtMs: event.actionAtMs,
      late: head !== undefined && event.actionAtMs < head.actionAtMs,
      isActive: lastOf.get(event.key) === index && activates(event.action),
    };
    tips.set(event.key, placement);
    return placement;
  });
}
