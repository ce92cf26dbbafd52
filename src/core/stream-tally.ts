/** Whether versions of each stream are 1, 2, 3 … once each, whatever order they are logged in. Holds a number per stream. */
import type { StreamKind } from "./event.ts";
import type { Rid, StreamAlias } from "./ids.ts";

/** A version that was logged although an earlier one of its stream was not. */
export type EarlyVersion = { readonly version: number; readonly rid: Rid };

export type StreamState = {
  /** The first version that is missing, by stream. */
  readonly next: readonly (readonly [string, number])[];
  readonly early: readonly (readonly [string, readonly EarlyVersion[]])[];
};

export type StreamTally = {
  /** False: the stream has that version already. */
  take(alias: StreamAlias, kind: StreamKind, version: number, rid: Rid): boolean;
  /** Versions behind a hole. */
  open(): readonly EarlyVersion[];
  streams(): number;
  state(): StreamState;
};

export function streamTally(before: StreamState = { next: [], early: [] }): StreamTally {
  const next = new Map(before.next);
  const early = new Map(
    before.early.map(([key, waiting]) => [key, new Map(waiting.map(({ version, rid }) => [version, rid]))]),
  );

  /** Takes in what followed a hole that is closed now. */
  const settle = (key: string, from: number): void => {
    let first = from;
    const waiting = early.get(key);
    while (waiting?.delete(first)) first += 1;
    if (waiting?.size === 0) early.delete(key);
    next.set(key, first);
  };

  return {
    take(alias, kind, version, rid) {
      const key = kind === "change" ? alias : `~${alias}`;
      const expected = next.get(key) ?? 1;
      if (version < expected) return false;
      if (version === expected) {
        settle(key, version + 1);
        return true;
      }
      const waiting = early.get(key) ?? new Map<number, Rid>();
      if (waiting.has(version)) return false;
      early.set(key, waiting.set(version, rid));
      return true;
    },
    open: () =>
      [...early.values()].flatMap((waiting) =>
        earlyVersions(waiting)
          .toSorted((a, b) => a.version - b.version)
          .slice(0, 1),
      ),
    streams: () => next.size,
    state: () => ({
      next: [...next],
      early: [...early].map(([key, waiting]) => [key, earlyVersions(waiting)] as const),
    }),
  };
}

const earlyVersions = (waiting: ReadonlyMap<number, Rid>): readonly EarlyVersion[] =>
  [...waiting].map(([version, rid]) => ({ version, rid }));
