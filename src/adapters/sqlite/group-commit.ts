/** Writes asked for in one turn of the event loop share a transaction, and so its sync. Nobody hears of success before the commit. */
import type { DatabaseSync } from "node:sqlite";
import { assertWanted, storeCall } from "./faults.ts";
import { transaction } from "./transaction.ts";

/** Rows of one transaction; a single larger write has one of its own. More rows would only hold up other users of the thread. */
const rowsMax = 4_000;

type Write = {
  readonly rows: number;
  /** Runs within the transaction; may be run again in another one. Returns what tells its caller of the commit. */
  readonly work: () => () => void;
  readonly fail: (error: unknown) => void;
};

/** A call of a port that resolves with what `work` returned once that is committed. What throws is undone and fails alone; a failed commit fails all it held. */
export type GroupCommit = <T>(signal: AbortSignal, rows: number, work: () => T) => Promise<T>;

export function openGroupCommit(db: DatabaseSync): GroupCommit {
  let waiting: Write[] = [];
  const runNext = (): void => {
    const group = takeGroup(waiting);
    waiting = waiting.slice(group.length);
    if (waiting.length > 0) setImmediate(runNext);
    commitTogether(db, group);
  };
  const enqueue = <T>(rows: number, work: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.push({ rows, work: run, fail: reject });
      if (waiting.length === 1) setImmediate(runNext);
    });
  return (signal, rows, work) =>
    storeCall(signal, () =>
      enqueue(rows, () => {
        assertWanted(signal);
        return work();
      }),
    );
}

function takeGroup(waiting: readonly Write[]): readonly Write[] {
  let rows = 0;
  const end = waiting.findIndex((write, at) => {
    rows += write.rows;
    return at > 0 && rows > rowsMax;
  });
  return end < 0 ? waiting : waiting.slice(0, end);
}

/** Without savepoints, which copy every page that is changed: a write that throws is rare, and the others are then run again without it. */
function commitTogether(db: DatabaseSync, group: readonly Write[]): void {
  let running: Write | undefined;
  try {
    const settles = transaction(db, () => {
      const done = group.map((write) => {
        running = write;
        return write.work();
      });
      running = undefined;
      return done;
    });
    for (const settle of settles) settle();
  } catch (error) {
    const failed = running === undefined ? group : [running];
    for (const write of failed) write.fail(error);
    const others = group.filter((write) => !failed.includes(write));
    if (others.length > 0) commitTogether(db, others);
  }
}
