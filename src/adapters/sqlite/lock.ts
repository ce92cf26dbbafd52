/** A store file belongs to one process: an exclusive lock on a file beside it, which the system drops with the process, however it dies. */
import { DatabaseSync } from "node:sqlite";
import { LastroError } from "../../core/errors.ts";
import { isBusy } from "./faults.ts";

/** Takes the lock until disposed. Throws STORE_LOCKED. */
export function lockStore(path: string): Disposable {
  const lockPath = `${path}.lock`;
  const lock = new DatabaseSync(lockPath, { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new LastroError(
      "STORE_LOCKED",
      `${path} belongs to a service process that is running (it holds ${lockPath}); stop that one, or use MongoDB for several processes`,
      { cause: error },
    );
  }
  return { [Symbol.dispose]: () => lock.close() };
}
