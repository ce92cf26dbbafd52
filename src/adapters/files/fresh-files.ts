/** Files that may be replaced while the service runs: what was accepted last holds until something better is there. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { LastroError } from "../../core/errors.ts";
import type { Log } from "../../ports/log.ts";

export type FreshFiles<T> = {
  current(): T;
  /** Reads again. What is refused is logged once, changes nothing and is tried again: a certificate may have become valid. */
  refresh(): void;
};

type FreshFilesOptions<T> = {
  readonly paths: readonly string[];
  /** Given the texts in the order of `paths`. Throws CONFIG_INVALID. */
  readonly parse: (texts: readonly string[]) => T;
  /** For log lines, such as `access file`. */
  readonly what: string;
  readonly log: Log;
  /** Hears what was accepted after the start. */
  readonly changed?: (value: T) => void;
  /** Hears after each reading whether what is there is what holds. */
  readonly checked?: (holds: boolean) => void;
};

/** Throws CONFIG_INVALID: at the start there is nothing else that could hold. */
export function openFreshFiles<T>({
  paths,
  parse,
  what,
  log,
  changed,
  checked,
}: FreshFilesOptions<T>): FreshFiles<T> {
  const first = read(paths, what);
  let [seen, value] = [digestOf(first), parse(first)];
  let [wasRead, holds] = [true, true];
  let told: string | undefined;
  const refuse = (error: unknown): void => {
    if (!(error instanceof LastroError)) throw error;
    const refusal = `${wasRead ? seen : "unread"} ${error.message}`;
    if (refusal !== told)
      log.warn("file_refused", `the new ${what} is not used, the old one holds: ${error.message}`);
    told = refusal;
  };
  const take = (texts: readonly string[]): void => {
    const digest = digestOf(texts);
    if (digest === seen && holds) {
      told = undefined;
      return;
    }
    [seen, holds] = [digest, false];
    value = parse(texts);
    [told, holds] = [undefined, true];
    log.info("file_taken", `the new ${what} holds from now on`);
    changed?.(value);
  };
  return {
    current: () => value,
    refresh() {
      try {
        wasRead = false;
        const texts = read(paths, what);
        wasRead = true;
        take(texts);
      } catch (error) {
        refuse(error);
      } finally {
        checked?.(wasRead && holds);
      }
    },
  };
}

function read(paths: readonly string[], what: string): readonly string[] {
  return paths.map((path) => {
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw new LastroError("CONFIG_INVALID", `${path} (${what}) cannot be read`, { cause });
    }
  });
}

const digestOf = (texts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex");
