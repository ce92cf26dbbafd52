/** Asks the witnesses in the background, for as long as this process extends the log. What goes wrong here raises an alert and stops neither intake nor the log. */
import { LastroError } from "../core/errors.ts";
import { repeat } from "../lib/upkeep.ts";
import type { Sleep } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Observer } from "../ports/observer.ts";
import type { WitnessAnswer } from "./ask-witness.ts";
import type { Cosigner, CosignReport } from "./cosign.ts";
import { LogHalted } from "./halt.ts";

export type RunWitnessesDeps = {
  readonly cosigner: Cosigner;
  readonly intervalMs: number;
  readonly sleep: Sleep;
  readonly observer: Pick<Observer, "witnessesAsked">;
  readonly lines: Log;
};

export type WitnessRun = {
  /** Sizes that the witnesses have seen. The first call waits until all were asked, or their time is over, and so does one after `forget` or a pass that halted; it throws what a pass throws. */
  sizes(): Promise<readonly number[]>;
  /** Another process may have extended the log meanwhile. */
  forget(): void;
  /** Begins to ask each interval, while `isSequencing`. */
  start(isSequencing: () => boolean): void;
};

export function runWitnesses(
  { cosigner, intervalMs, sleep, observer, lines }: RunWitnessesDeps,
  signal: AbortSignal,
): WitnessRun {
  let answers: CosignReport["answers"] = new Map();
  let first: Promise<void> | undefined;
  const forget = (): void => {
    first = undefined;
  };
  const pass = async (anew = false): Promise<void> => {
    const report = await cosigner.pass(signal, anew);
    if (report === undefined) return;
    observer.witnessesAsked({
      witnessedSize: report.isWitnessed ? report.size : undefined,
      hasCosigned: new Map([...report.answers].map(([name, { kind }]) => [name, kind === "cosigned"])),
    });
    for (const [name, answer] of report.answers) tell(lines, name, answers.get(name), answer);
    answers = report.answers;
  };
  const onError = (error: unknown): void => {
    // It is for the sequencer to halt: it asks again.
    if (error instanceof LogHalted) forget();
    const code = error instanceof LastroError ? error.code : "INTERNAL";
    lines.warn("witnesses_not_asked", "the witnesses could not be asked; tried again by itself", { code });
  };
  return {
    async sizes() {
      first ??= pass(true).catch((error: unknown) => {
        forget();
        throw error;
      });
      await first;
      return cosigner.sizes();
    },
    forget,
    start(isSequencing) {
      void repeat(intervalMs, signal, async () => (isSequencing() ? pass() : undefined), onError, sleep);
    },
  };
}

/** A line when a witness's answer changes, not at each asking. */
function tell(lines: Log, witness: string, before: WitnessAnswer | undefined, answer: WitnessAnswer): void {
  if (before !== undefined && isSame(before, answer)) return;
  switch (answer.kind) {
    case "cosigned":
      lines.info("witness_cosigns", "a witness cosigns the log", { witness });
      return;
    case "unavailable":
      lines.warn("witness_away", "a witness does not answer; it is asked again by itself", { witness });
      return;
    case "ahead":
      lines.error(
        "witness_ahead",
        "a witness has seen a larger log than the store holds; see docs/witness.md",
        { witness, size: answer.size },
      );
      return;
    case "refused":
      lines.error(
        "witness_refuses",
        "a witness refuses the checkpoint; docs/witness.md says what each status means",
        { witness, status: answer.status },
      );
  }
}

/** Of refusals each status means something else; cosignatures and sizes are others at each asking. */
const isSame = (one: WitnessAnswer, other: WitnessAnswer): boolean =>
  one.kind === "refused" && other.kind === "refused" ? one.status === other.status : one.kind === other.kind;
