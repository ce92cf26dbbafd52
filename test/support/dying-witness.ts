/** The witness program, but it ends like a machine that loses power when it has remembered the n-th checkpoint and not yet answered. */
import { createHash, randomBytes } from "node:crypto";
import { parseVerifierKey } from "../../src/core/signed-note.ts";
import { startWitness } from "../../src/witness/start.ts";

const [times, name, folder = "", ...vkeys] = process.argv.slice(2);
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
let remembered = 0;

const witness = await startWitness({
  folder,
  keyFile: undefined,
  name,
  logs: vkeys.map((vkey) => parseVerifierKey(sha256, vkey)).filter((key) => key !== undefined),
  address: { host: "127.0.0.1", port: 0 },
  now: Date.now,
  random: (bytes) => randomBytes(bytes),
  reached() {
    remembered += 1;
    if (remembered === Number(times)) process.kill(process.pid, "SIGKILL");
  },
});
process.stdout.write(`${witness.vkey}\n${witness.url}\n`);
