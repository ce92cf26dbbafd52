/** The first entry of a log: its origin, whose random part is drawn here and never changed, and the key that signs it first. */
import { controlEntry } from "../core/log-entries.ts";
import type { LogRow } from "../ports/log-store.ts";
import { controlRow } from "./controls.ts";
import type { SequencerDeps } from "./deps.ts";
import { LogHalted } from "./halt.ts";

const logIdBytes = 8;
const genesisId = "genesis";

/** Halts when this signer has signed a log, or a checkpoint lies in the store: then a log was lost, and a new one would hide it. */
export async function genesisRow(deps: SequencerDeps, signal: AbortSignal): Promise<LogRow> {
  const origin = `${deps.logName}/${Buffer.from(deps.random(logIdBytes)).toString("hex")}`;
  const signer = await deps.openSigner(origin);
  const signed = await signer.state();
  const published = await deps.log.checkpoint("latest", signal);
  const head = await deps.log.head(signal);
  // Another instance may have begun the log meanwhile: then the append will tell.
  if ((await deps.log.size(signal)) === 0) assertNothingWas([signed?.size, published?.size, head?.size]);
  const [vkey] = signer.vkeys;
  if (vkey === undefined) throw new LogHalted("KEY_UNKNOWN", "the signer holds no key");
  const entry = controlEntry({ kind: "genesis", id: genesisId, atMs: deps.now(), data: { origin, vkey } });
  return controlRow({ id: genesisId, entry }, 0, deps.sha256);
}

function assertNothingWas(sizes: readonly (number | undefined)[]): void {
  const was = Math.max(...sizes.map((size) => size ?? -1));
  if (was >= 0) throw new LogHalted("ROLLED_BACK", `the log is empty, and had ${was} leaves`);
}
