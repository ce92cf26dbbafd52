/** Reads files again while the process runs: now and then, and in the service at SIGHUP. */
import { repeat } from "./lib/upkeep.ts";

type Files = readonly { refresh(): void }[];

const refreshAll = (files: Files): void => {
  for (const file of files) file.refresh();
};

export function keepFresh(files: Files, refreshMs: number, signal: AbortSignal): void {
  if (files.length === 0) return;
  const refresh = (): void => refreshAll(files);
  process.on("SIGHUP", refresh);
  signal.addEventListener("abort", () => process.off("SIGHUP", refresh), { once: true });
  readAgain(files, refreshMs, signal);
}

/** Without SIGHUP, which ends a command whose terminal is gone. */
export function readAgain(files: Files, refreshMs: number, signal: AbortSignal): void {
  if (files.length === 0) return;
  void repeat(
    refreshMs,
    signal,
    async () => refreshAll(files),
    () => undefined,
  );
}
