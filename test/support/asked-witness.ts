/** Witnesses in this process: they judge as our witness program does, and can be told to misbehave. */
import { formatVerifierKey, signatureLine } from "../../src/core/signed-note.ts";
import type { AskedWitness } from "../../src/log/ask-witness.ts";
import type { SeenTree, WitnessVerdict } from "../../src/ports/witness.ts";
import { judgeCheckpoint } from "../../src/witness/judge.ts";
import { ed25519, sha256, testSigner } from "./log.ts";
import type { LogWorld } from "./log-world.ts";

export type TestWitness = AskedWitness & {
  readonly asked: { readonly oldSize: number; readonly checkpoint: string }[];
  seen: SeenTree | undefined;
  /** Answers in place of the witness, once the checkpoint is on its way. */
  instead: ((checkpoint: string, signal: AbortSignal) => Promise<WitnessVerdict>) | undefined;
  lineFor(text: string): string;
};

/** It trusts the keys that this world signs with. */
export async function testWitness(
  world: Pick<LogWorld, "logKeys">,
  name: string,
  nowS: () => number = () => 1_790_000_000,
): Promise<TestWitness> {
  const signer = testSigner(name, "cosignature/v1");
  const lineFor = (text: string): string => signatureLine(signer.signature(text, nowS()));
  const witness: TestWitness = {
    vkey: formatVerifierKey(sha256, signer.key),
    key: signer.key,
    asked: [],
    seen: undefined,
    instead: undefined,
    lineFor,
    async addCheckpoint(request, signal) {
      const { oldSize, checkpoint } = request;
      witness.asked.push({ oldSize, checkpoint });
      if (witness.instead !== undefined) return witness.instead(checkpoint, signal);
      const rules = { logs: await world.logKeys(), sha256, verify: ed25519 };
      const judged = judgeCheckpoint(rules, request, () => witness.seen);
      if (judged.kind === "refuse")
        return judged.status === 409
          ? { kind: "at", size: judged.size }
          : { kind: "refused", status: judged.status };
      witness.seen = judged.checkpoint;
      return { kind: "cosigned", lines: [lineFor(judged.text)] };
    },
  };
  return witness;
}
