/** A service whose log has nothing in it yet. */
import { type LogReads, publishedLog } from "../../src/query/published-log.ts";
import type { TilesOptions } from "../../src/servers/http/tiles.ts";
import { silentLog } from "./intake.ts";

const nothing = async () => [];
const emptyLog: LogReads = {
  rows: nothing,
  leaves: nothing,
  indexes: async () => new Map(),
  coverage: async () => undefined,
  coverages: nothing,
  tile: async () => undefined,
  checkpoint: async () => undefined,
};

export const noTiles: TilesOptions = {
  published: publishedLog({ log: emptyLog, now: Date.now }),
  log: silentLog,
};
