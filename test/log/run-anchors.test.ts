import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { sleep } from "../../src/lib/backoff.ts";
import { runAnchors } from "../../src/log/run-anchors.ts";
import type { AnchoredNote } from "../../src/ports/anchor.ts";
import type { AnchorReport } from "../../src/ports/observer.ts";
import { watchedLog } from "../support/witness.ts";

const log = watchedLog("log.test/a", 300);
const root = new Uint8Array(32);
const away = new LastroError("ANCHOR_UNAVAILABLE", "the anchor is away");
/** `silence` ends at the signal, `hang` never. */
type Answer = "kept" | "differs" | "silence" | "hang" | LastroError;

/** The log has one leaf more at each asking. Each anchor gives its answers one after the other; the run ends when the first has given all of its own. */
async function run(
  answers: Readonly<Record<string, readonly Answer[]>>,
  { isSequencing = true, leavesAtLook = 0, intervalMs = 1, stepMs = 1_000_000 } = {},
) {
  const stop = new AbortController();
  const reports: AnchorReport[] = [];
  const lines: string[] = [];
  const asked: AnchoredNote[] = [];
  const askedOf: string[] = [];
  const askedAtMs: number[] = [];
  let [size, nowMs, looks] = [69, 0, 0];
  const anchors = Object.entries(answers).map(([name, own]) => {
    let given = 0;
    return {
      name,
      async keep(checkpoint: AnchoredNote, signal: AbortSignal) {
        asked.push(checkpoint);
        askedOf.push(name);
        askedAtMs.push(nowMs);
        const answer = own[given++] ?? "kept";
        if (answer === "hang") return new Promise<never>(() => undefined);
        if (answer === "silence") await new Promise((_, refuse) => signal.addEventListener("abort", refuse));
        if (answer instanceof LastroError) throw answer;
        return answer === "silence" ? "kept" : answer;
      },
      isDone: () => given >= own.length,
    };
  });
  const line = (code: string): void => void lines.push(code);
  const deps = {
    log: {
      checkpoint: async () => ({ size: ++size, root, note: log.note(size), signatures: 1 }),
    },
    anchors,
    intervalMs,
    timeoutMs: 20,
    now: () => {
      nowMs += stepMs;
      return nowMs;
    },
    sleep,
    observer: {
      anchorsAsked(report: AnchorReport) {
        reports.push(report);
        if (anchors[0]?.isDone()) stop.abort();
      },
    },
    lines: { info: line, warn: line, error: line },
  };
  const isAsked = (): boolean => {
    if (!isSequencing) stop.abort();
    looks += 1;
    return isSequencing && looks !== leavesAtLook;
  };
  await runAnchors(deps, isAsked, stop.signal);
  return { reports, lines, asked, askedOf, askedAtMs };
}

test("the latest checkpoint is given to each anchor, verbatim, and each asking is reported", async () => {
  const { reports, asked } = await run({ one: ["kept", "kept"], two: [] });
  expect(asked.map(({ size, origin, note }) => ({ size, origin, note }))).toEqual(
    [70, 70, 71, 71].map((size) => ({ size, origin: "log.test/a", note: log.note(size) })),
  );
  const hasKept = new Map([
    ["one", true],
    ["two", true],
  ]);
  expect(reports).toEqual([
    { size: 70, hasKept },
    { size: 71, hasKept },
  ]);
});

test("a line is written when an answer changes; one that is away, silent or keeps another tree has not kept it", async () => {
  const { reports, lines } = await run({
    one: ["kept", "kept", away, "silence", "differs", "differs", "kept"],
  });
  expect(lines).toEqual(["anchor_keeps", "anchor_away", "anchor_differs", "anchor_keeps"]);
  expect(reports.map(({ hasKept }) => hasKept.get("one"))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    true,
  ]);
});

test("an anchor that is away holds up no other", async () => {
  const { asked, reports } = await run({ one: ["silence"], two: ["kept"] });
  expect(asked).toHaveLength(2);
  expect(reports[0]?.hasKept.get("two")).toBe(true);
});

test("one that never answers has not kept it after its time and is not asked a second time meanwhile; the others are", async () => {
  const { reports, lines, askedOf } = await run({ one: ["kept", "kept", "kept"], two: ["hang"] });
  expect(reports.map(({ hasKept }) => Object.fromEntries(hasKept))).toEqual(
    [1, 2, 3].map(() => ({ one: true, two: false })),
  );
  expect(askedOf).toEqual(["one", "two", "one", "one"]);
  expect(lines).toEqual(["anchor_keeps", "anchor_away"]);
});

test("after a checkpoint that all keep there is none until the interval is over", async () => {
  const { askedAtMs } = await run({ one: ["kept", "kept", "kept"] }, { intervalMs: 10, stepMs: 1 });
  const [first = 0, second = 0, third = 0] = askedAtMs;
  expect(Math.min(second - first, third - second)).toBeGreaterThanOrEqual(10);
});

test("after one that was not kept everywhere the next comes within two minutes, however long the interval", async () => {
  const { askedAtMs } = await run({ one: [away, "kept"] }, { intervalMs: 3_600_000, stepMs: 40_000 });
  const [first = 0, second = 0] = askedAtMs;
  expect(second - first).toBeGreaterThanOrEqual(60_000);
  expect(second - first).toBeLessThanOrEqual(120_000);
});

test("a process that left the log to another and extends it again asks within minutes, however long the interval", async () => {
  const options = { leavesAtLook: 2, intervalMs: 3_600_000, stepMs: 40_000 };
  const { askedAtMs } = await run({ one: ["kept", "kept"] }, options);
  const [first = 0, second = 0] = askedAtMs;
  expect(second - first).toBeGreaterThanOrEqual(60_000);
  expect(second - first).toBeLessThanOrEqual(300_000);
});

test("only the process that extends the log anchors", async () => {
  const { asked, reports } = await run({ one: ["kept"] }, { isSequencing: false });
  expect({ asked, reports }).toEqual({ asked: [], reports: [] });
});
