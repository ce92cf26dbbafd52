/** A progress bar on standard error, only where somebody looks at it. */
import { Presets, SingleBar } from "cli-progress";

export type Progress = { update(done: number, total: number): void; stop(): void };

export function progressBar(unit: string): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar(
    {
      stream: process.stderr,
      clearOnComplete: true,
      format: `{bar} {percentage}% | {value}/{total} ${unit} | {eta_formatted} left`,
    },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update(done, total) {
      if (!isStarted) bar.start(total, done);
      else bar.update(done);
      isStarted = true;
    },
    stop: () => bar.stop(),
  };
}
