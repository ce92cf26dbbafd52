/** Turns at writing among the threads of a process that have the same file open. SQLite lets who waits for its lock sleep longer and longer, so that a thread that writes without a pause shuts the other out. */

/** Runs `work` when all who asked before have had their turn. Blocks the thread meanwhile. */
export type WriteTurn = <T>(work: () => T) => T;

/** Shared by the threads: how many turns were asked for, and the number of the one that is served. */
export const newTurns = (): SharedArrayBuffer => new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
const [asked, served] = [0, 1];

/** A thread that died in its turn is passed over after this long. The turn is a courtesy: SQLite's own lock keeps the file right. */
const turnMsMax = 1_000;

export function writeTurn(turns: SharedArrayBuffer): WriteTurn {
  const counters = new Int32Array(turns);
  const passOn = (number: number): void => {
    if (Atomics.compareExchange(counters, served, number, (number + 1) | 0) === number)
      Atomics.notify(counters, served);
  };
  return (work) => {
    const own = Atomics.add(counters, asked, 1);
    for (let now = Atomics.load(counters, served); now !== own; now = Atomics.load(counters, served))
      if (Atomics.wait(counters, served, now, turnMsMax) === "timed-out") passOn(now);
    try {
      return work();
    } finally {
      passOn(own);
    }
  };
}
