/** The tamper campaign: seeded changes to what a kept checkpoint covers; every one must be found, and what holds it named. LASTRO_TEST_TAMPERINGS says how many. */
import { expect, test } from "@jest/globals";
import { projection, searchIndex } from "../support/aid-tamperings.ts";
import { type CheckedLog, makeCheckedLog } from "../support/checked-log.ts";
import { drawFrom } from "../support/draw.ts";
import { type TamperKind, tamperKinds, toolsOf, unnamed } from "../support/tamperings.ts";

const tamperings = Number(process.env["LASTRO_TEST_TAMPERINGS"] ?? 120);
const cleanRuns = Math.ceil(tamperings / 10);
const logs = 3;
const offsets = 320;
const seed = Number(process.env["LASTRO_TEST_SEED"] ?? Date.now() % 1_000_000);
/** Hours on a busy machine: time decides nothing here. */
const timeoutMs = 600_000 + tamperings * 2_000;

const repairable: ReadonlySet<string> = new Set(["PROJECTION_CHANGED", "INDEX_CHANGED"]);

type Miss = {
  readonly seed: number;
  readonly what: string;
  readonly verdict: string;
  readonly unnamed: unknown;
  readonly found: unknown;
};

async function tamper(log: CheckedLog, kind: TamperKind, drawn: number, openBodies: boolean) {
  log.db.exec("SAVEPOINT tampering");
  try {
    const tampering = kind(toolsOf(log.db, drawFrom(drawn)));
    return { tampering, result: await log.check({ openBodies }) };
  } finally {
    log.db.exec("ROLLBACK TO tampering; RELEASE tampering");
  }
}

async function campaign(
  count: number,
  kindAt: (at: number) => TamperKind,
  openBodies: boolean,
  expected: (codes: readonly string[], verdict: string) => boolean,
): Promise<readonly Miss[]> {
  const missed: Miss[] = [];
  for (let n = 0; n < logs; n++) {
    await using log = await makeCheckedLog(seed + n, offsets);
    for (let at = n; at < count; at += logs) {
      const drawn = seed + at;
      const { tampering, result } = await tamper(log, kindAt(Math.floor(at / logs)), drawn, openBodies);
      const left = unnamed(tampering, result.findings);
      const codes = result.findings.map(({ code }) => code);
      if (left.length === 0 && expected(codes, result.verdict)) continue;
      missed.push({
        seed: drawn,
        what: tampering.what,
        verdict: result.verdict,
        unnamed: left,
        found: result.findings.slice(0, 6),
      });
    }
    expect((await log.check()).verdict).toBe("intact");
  }
  return missed;
}

test(
  `R-21 each of ${tamperings} changes to what a kept checkpoint covers gives broken and names what holds it (seed ${seed})`,
  async () => {
    const kindAt = (at: number): TamperKind => tamperKinds[at % tamperKinds.length] ?? projection;
    const missed = await campaign(tamperings, kindAt, false, (_, verdict) => verdict === "broken");
    expect(missed.slice(0, 5)).toEqual([]);
    expect(missed.length).toBe(0);
  },
  timeoutMs,
);

test(
  `R-21 each change of a search aid or of the search index is found and named while the keys live, and is no break of the log (seed ${seed})`,
  async () => {
    const expected = (codes: readonly string[], verdict: string): boolean =>
      codes.length > 0 && codes.every((code) => repairable.has(code)) && verdict === "intact";
    const kindAt = (at: number): TamperKind => (at % 2 === 0 ? projection : searchIndex);
    const missed = await campaign(Math.ceil(tamperings / 5), kindAt, true, expected);
    expect(missed.slice(0, 5)).toEqual([]);
    expect(missed.length).toBe(0);
  },
  timeoutMs,
);

test(
  `R-21 of ${cleanRuns} checks of untouched stores none finds anything (seed ${seed})`,
  async () => {
    for (let run = 0; run < cleanRuns; run += 20) {
      await using log = await makeCheckedLog(seed + 1_000 + run, 60 + (run % 7) * 40);
      for (let again = run; again < Math.min(run + 20, cleanRuns); again++) {
        const { verdict, findings } = await log.check({ openBodies: again % 10 === 0 });
        expect({ verdict, findings }).toEqual({ verdict: "intact", findings: [] });
      }
    }
  },
  timeoutMs,
);
