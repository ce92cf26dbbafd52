/** Preloaded with `--import`: at each SIGUSR2 the process meets the mishap that this module's address names. */
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";

const message = "joana.prado@example.com, 529.982.247-25";

const mishaps = {
  /** The event loop stands still, while threads go on. */
  blocks() {
    const endMs = performance.now() + blockedMs;
    while (performance.now() < endMs);
    process.stderr.write("no longer blocked\n");
  },
  throws() {
    throw new TypeError(message);
  },
  rejects() {
    void sleep(1).then(() => Promise.reject(new TypeError(message)));
  },
  /** What it left behind keeps the process alive. */
  "throws and hangs"() {
    setInterval(() => undefined, 1_000);
    throw new TypeError(message);
  },
};
type Mishap = keyof typeof mishaps;

export const blockedMs = 5_000;
/** What no line may tell of the errors. */
export const personal = message.split(", ");

/** Arguments of Node for a process that meets it. */
export function meets(mishap: Mishap): readonly string[] {
  const preload = new URL(import.meta.url);
  preload.searchParams.set("mishap", mishap);
  return ["--import", preload.href];
}

const named = new URL(import.meta.url).searchParams.get("mishap") as Mishap | null;
if (isMainThread && named !== null) process.on("SIGUSR2", mishaps[named]);
