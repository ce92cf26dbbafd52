/** Reads files again while the service runs: now and then, and at SIGHUP. */
import { repeat } from "./lib/upkeep.ts";

export function keepFresh(
  files: readonly { refresh(): void }[],
  refreshMs: number,
  signal: AbortSignal,
): void {
  const refresh = (): void => {
    for (const file of files) file.refresh();
  };
  process.on("SIGHUP", refresh);
  signal.addEventListener("abort", () => process.off("SIGHUP", refresh), { once: true });
  void repeat(
    refreshMs,
    signal,
    async () => refresh(),
    () => undefined,
  );
}
