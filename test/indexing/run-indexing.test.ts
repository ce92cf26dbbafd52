/** What the log says of a search index that does not follow. */
import { expect, test } from "@jest/globals";
import { emptyCatalogue } from "../../src/core/catalogue.ts";
import { indexRules } from "../../src/core/index-rules.ts";
import { entriesOf } from "../../src/core/summary-cells.ts";
import type { IndexPassDeps } from "../../src/indexing/index-pass.ts";
import { runIndexing } from "../../src/indexing/run-indexing.ts";
import type { LogFields } from "../../src/ports/log.ts";
import { silentLog, silentObserver } from "../support/intake.ts";

/** Every block below the one that the next pass is to make is gone. */
const size = entriesOf(1);
const withoutBlocks = {
  log: { head: async () => ({ size }), rows: async () => [] },
  history: { byRids: async () => [], values: async () => [] },
  index: {
    state: async () => ({ rules: indexRules(emptyCatalogue), size: size - 1 }),
    addTexts: async () => undefined,
    blocks: async () => [],
  },
  catalogue: emptyCatalogue,
} as unknown as IndexPassDeps;

test("an index that has lost counts waits, and the line that says so names the command that has it made anew", async () => {
  const stop = new AbortController();
  const told: (readonly [code: string, message: string, fields: LogFields | undefined])[] = [];
  let waits = 0;
  await runIndexing(
    {
      open: async () => withoutBlocks,
      mayRun: () => true,
      busyShare: 100,
      now: () => 0,
      random: (bytes) => new Uint8Array(bytes),
      async sleep() {
        if (++waits === 3) stop.abort();
      },
      observer: silentObserver,
      lines: { ...silentLog, warn: (...line) => void told.push([line[0], line[1], line[2]]) },
    },
    stop.signal,
  );
  expect(told).toEqual([
    ["search_index_waits", expect.stringContaining("`lastro reindex`"), { code: "STORE_UNAVAILABLE" }],
  ]);
});
