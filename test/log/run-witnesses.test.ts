import { expect, test } from "@jest/globals";
import { LastroError } from "../../src/core/errors.ts";
import { sleep } from "../../src/lib/backoff.ts";
import type { WitnessAnswer } from "../../src/log/ask-witness.ts";
import type { Cosigner } from "../../src/log/cosign.ts";
import { LogHalted } from "../../src/log/halt.ts";
import { type RunWitnessesDeps, runWitnesses } from "../../src/log/run-witnesses.ts";
import type { Log } from "../../src/ports/log.ts";
import type { WitnessReport } from "../../src/ports/observer.ts";
import { until } from "../support/until.ts";

const cosigned: WitnessAnswer = {
  kind: "cosigned",
  signature: { name: "w.test/1", id: 1, bytes: new Uint8Array(72) },
};

type Pass = Awaited<ReturnType<Cosigner["pass"]>> | LastroError;

/** Answers the passes one after the other; the last one again and again. */
function run(...passes: readonly Pass[]) {
  const stop = new AbortController();
  const reports: WitnessReport[] = [];
  const lines: string[] = [];
  const statuses: unknown[] = [];
  let asked = 0;
  let heard: () => void = () => undefined;
  const line: Log["error"] = (code, _, { status } = {}) => {
    lines.push(code);
    if (code === "witness_refuses") statuses.push(status);
  };
  const deps: RunWitnessesDeps = {
    cosigner: {
      sizes: () => [asked],
      async pass() {
        const pass = passes[Math.min(asked, passes.length - 1)];
        asked += 1;
        if (asked === passes.length) heard();
        if (pass instanceof LastroError) throw pass;
        return pass;
      },
    },
    intervalMs: 1,
    sleep,
    observer: { witnessesAsked: (report) => void reports.push(report) },
    lines: { info: line, warn: line, error: line },
  };
  return {
    witnesses: runWitnesses(deps, stop.signal),
    reports,
    lines,
    /** Of the refusals that were told. */
    statuses,
    asked: () => asked,
    untilAllAsked: new Promise<void>((resolve) => {
      heard = resolve;
    }),
    stop: () => stop.abort(),
  };
}

const pass = (answer: WitnessAnswer, isWitnessed: boolean): Pass => ({
  size: 7,
  isWitnessed,
  answers: new Map([["w.test/1", answer]]),
});

test("sizes are told once the witnesses were asked, and later without asking again", async () => {
  const { witnesses, asked } = run(pass(cosigned, true));
  expect(await witnesses.sizes()).toEqual([1]);
  expect(await witnesses.sizes()).toEqual([1]);
  expect(asked()).toBe(1);
});

test("who extends the log again after another may have done so is told sizes that were asked anew", async () => {
  const { witnesses, asked } = run(pass(cosigned, true));
  expect(await witnesses.sizes()).toEqual([1]);
  witnesses.forget();
  expect(await witnesses.sizes()).toEqual([2]);
  expect(asked()).toBe(2);
});

test("a first asking that failed is tried again by who needs the sizes", async () => {
  const { witnesses } = run(new LastroError("STORE_UNAVAILABLE", "away"), pass(cosigned, true));
  await expect(witnesses.sizes()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await witnesses.sizes()).toEqual([2]);
});

test("who needs the sizes is told when a later asking found what halts the log", async () => {
  const halted = new LogHalted("ROOT_MISMATCH", "tile 0/1");
  const { witnesses, lines, stop } = run(pass(cosigned, true), pass(cosigned, true), halted);
  await witnesses.sizes();
  witnesses.start(() => true);
  await until("a later asking", () => lines.includes("witnesses_not_asked"));
  await expect(witnesses.sizes()).rejects.toBe(halted);
  stop();
});

test("only the process that extends the log asks", async () => {
  const started = run(undefined);
  let looked = 0;
  await new Promise<void>((resolve) => {
    started.witnesses.start(() => {
      looked += 1;
      if (looked === 3) resolve();
      return false;
    });
  });
  started.stop();
  expect(started.asked()).toBe(0);
});

test("each asking is reported; a line is written when an answer changes", async () => {
  const away = { kind: "unavailable" } as const;
  const started = run(
    pass(cosigned, true),
    pass(cosigned, true),
    pass(away, false),
    pass(away, false),
    new LastroError("STORE_UNAVAILABLE", "away"),
    pass({ kind: "ahead", size: 9 }, false),
    pass({ kind: "refused", status: 422 }, false),
    undefined,
  );
  started.witnesses.start(() => true);
  await started.untilAllAsked;
  started.stop();
  expect(started.lines).toEqual([
    "witness_cosigns",
    "witness_away",
    "witnesses_not_asked",
    "witness_ahead",
    "witness_refuses",
  ]);
  expect(started.reports.map(({ witnessedSize }) => witnessedSize)).toEqual([
    7,
    7,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(started.reports.map(({ hasCosigned }) => hasCosigned.get("w.test/1"))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("a refusal that turns into another one is told, with its status, and one that stays is not told again", async () => {
  const refused = (status: number): Pass => pass({ kind: "refused", status }, false);
  const started = run(refused(403), refused(403), refused(409), refused(409), undefined);
  started.witnesses.start(() => true);
  await started.untilAllAsked;
  started.stop();
  expect(started.lines).toEqual(["witness_refuses", "witness_refuses"]);
  expect(started.statuses).toEqual([403, 409]);
});
