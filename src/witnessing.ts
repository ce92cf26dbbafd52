/** Those outside who watch the log, for the composition root: the witnesses that the configuration names. */
import { httpWitness } from "./adapters/tlog-witness/witness.ts";
import type { Config } from "./config.ts";
import { verifyEd25519 } from "./lib/ed25519.ts";
import { openCosigner } from "./log/cosign.ts";
import { runWitnesses, type WitnessRun } from "./log/run-witnesses.ts";
import type { Log } from "./ports/log.ts";
import type { LogStore } from "./ports/log-store.ts";
import type { Observer } from "./ports/observer.ts";
import { sha256 } from "./privacy/draw.ts";

const nobody: WitnessRun = { sizes: async () => [], missing: () => [], start: () => undefined };

export function openWitnesses(
  { witnesses: { list, quorum, intervalMs, timeoutMs } }: Config,
  log: LogStore,
  observer: Observer,
  lines: Log,
  signal: AbortSignal,
): WitnessRun {
  if (list.length === 0) return nobody;
  const witnesses = list.map(({ vkey, key, url }) => ({ ...httpWitness({ vkey, url }), key }));
  const cosigner = openCosigner({ log, witnesses, quorum, sha256, verify: verifyEd25519, timeoutMs });
  return runWitnesses({ cosigner, intervalMs, observer, lines }, signal);
}
