/** A world of questions whose records are laid into its log as they are stored, under a checkpoint that is published. */
import type { Catalogue } from "../../src/core/catalogue.ts";
import type { RecordRow } from "../../src/core/record.ts";
import { type BuiltLog, buildLog } from "./built-log.ts";
import { type EventSpec, type HistoryWorld, openHistoryWorld, worldSrc } from "./history-world.ts";

export type LoggedWorld = HistoryWorld & {
  readonly built: BuiltLog;
  /** Stores and logs events, and publishes a checkpoint over them. */
  log(...events: readonly EventSpec[]): Promise<readonly RecordRow[]>;
};

export async function openLoggedWorld(catalogue?: Catalogue): Promise<LoggedWorld> {
  const world = await openHistoryWorld(catalogue);
  const built = buildLog(world.store.log);
  let offset = 0;
  return {
    ...world,
    built,
    async log(...events) {
      const rows = await world.publish(...events);
      await built.records(worldSrc, offset, rows, world.nowMs());
      offset += rows.length;
      await built.publish();
      return rows;
    },
  };
}

export const ridsOf = (rows: readonly { readonly rid: string }[]): readonly string[] =>
  rows.map(({ rid }) => rid);
