/** Decides by a seed which of all that waits goes on next: one thing at a time, in a time of its own. */
import { setImmediate } from "node:timers/promises";
import type { Sleep } from "../../src/ports/clock.ts";
import type { Draw } from "../support/draw.ts";

/** One run of a process. What is dead never goes on; what is frozen does once it is let go, and knows nothing of it. */
export type Life = { readonly name: string; state: "alive" | "frozen" | "dead" };

export type Action = { readonly label: string; readonly run: () => void | Promise<void> };

/** A request is on its way to others and gets there whatever becomes of who sent it; anything else happens in the process. */
export type Turn = Action & { readonly life: Life; readonly isRequest: boolean };

type Timer = { readonly life: Life; readonly atMs: number; readonly wake: () => void };

export type Scheduler = {
  readonly draw: Draw;
  readonly trace: readonly string[];
  note(decision: string): void;
  /** True that often of a hundred times. */
  chance(percent: number): boolean;
  /** Since the world began; never goes back. */
  elapsedMs(): number;
  wait(turn: Turn): void;
  sleepOf(life: Life): Sleep;
  /** Takes a turn, of those that wait or of the others that could happen. False when there is none. */
  step(others: readonly Action[]): Promise<boolean>;
  /** The process ends where it stands; of its requests some still arrive. */
  kill(life: Life): void;
  /** Everything under way ends, and nothing of it arrives. */
  cut(): void;
  /** Whether a request of one of them is under way. */
  isUnderWay(of: (life: Life) => boolean): boolean;
};

/** Turns of the event loop within which whatever goes on comes to its next call: the longest way has two of its own. */
const loopTurns = 3;
const stepMsMax = 5;
/** One turn in as many is a timer's, while others could be taken. */
const timerShare = 12;

async function settle(): Promise<void> {
  for (let turn = 0; turn < loopTurns; turn++) await setImmediate();
}

export function makeScheduler(draw: Draw): Scheduler {
  const trace: string[] = [];
  let turns: Turn[] = [];
  let timers: Timer[] = [];
  let elapsedMs = 0;
  const chance = (percent: number): boolean => percent > 0 && draw(100) < percent;

  const canGoOn = ({ life, isRequest }: Turn): boolean => isRequest || life.state === "alive";
  const dueNext = (): Timer | undefined =>
    timers
      .filter(({ life }) => life.state === "alive")
      .reduce<Timer | undefined>((first, one) => (first && first.atMs <= one.atMs ? first : one), undefined);
  const fire = (timer: Timer): Action => ({
    label: `${timer.life.name} wakes`,
    run() {
      elapsedMs = Math.max(elapsedMs, timer.atMs);
      timer.wake();
    },
  });
  const choose = (others: readonly Action[]): Action | undefined => {
    const ready = turns.filter(canGoOn);
    const due = dueNext();
    const count = ready.length + others.length;
    if (due !== undefined && (count === 0 || draw(timerShare) === 0)) return fire(due);
    if (count === 0) return undefined;
    const at = draw(count);
    const turn = ready[at];
    if (turn !== undefined) turns = turns.filter((one) => one !== turn);
    return turn ?? others[at - ready.length];
  };
  return {
    draw,
    trace,
    chance,
    note: (decision) => void trace.push(decision),
    elapsedMs: () => elapsedMs,
    wait: (turn) => void turns.push(turn),
    sleepOf: (life) => (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        const timer = { life, atMs: elapsedMs + ms, wake: () => end(resolve) };
        const abort = (): void => end(() => reject(signal.reason));
        const end = (act: () => void): void => {
          timers = timers.filter((one) => one !== timer);
          signal.removeEventListener("abort", abort);
          act();
        };
        timers.push(timer);
        signal.addEventListener("abort", abort);
      }),
    async step(others) {
      const action = choose(others);
      if (action === undefined) return false;
      trace.push(action.label);
      elapsedMs += draw(stepMsMax + 1);
      await action.run();
      await settle();
      return true;
    },
    kill(life) {
      life.state = "dead";
      timers = timers.filter((timer) => timer.life !== life);
      turns = turns.filter((turn) => turn.life !== life || (turn.isRequest && chance(50)));
    },
    cut() {
      turns = [];
    },
    isUnderWay: (of) => turns.some(({ isRequest, life }) => isRequest && of(life)),
  };
}
