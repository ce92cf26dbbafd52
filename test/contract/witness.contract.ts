/** What every way to ask a witness keeps to; run against our witness program. */
import { expect, test } from "@jest/globals";
import {
  parseNote,
  parseSignatureLine,
  parseVerifierKey,
  verifiedSignature,
} from "../../src/core/signed-note.ts";
import type { Witness, WitnessVerdict } from "../../src/ports/witness.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { watchedLog } from "../support/witness.ts";

export type WitnessFixture = {
  /** Asks a witness that watches `log` and has seen nothing yet. */
  readonly witness: Witness;
  /** Asks where nobody listens. */
  readonly absent: Witness;
  /** Asks where a connection is taken and nothing is ever answered. */
  readonly silent: Witness;
};

export const log = watchedLog("log.test/a", 300);
const fork = watchedLog("log.test/a", 300, 100);
const stranger = watchedLog("log.test/b", 300);
const never = new AbortController().signal;

/** When the cosignature was given; undefined when none of the lines is one of that witness. */
function timestampOf(verdict: WitnessVerdict, size: number, { vkey }: Witness): number | undefined {
  const key = parseVerifierKey(sha256, vkey);
  const note = parseNote(log.note(size));
  if (verdict.kind !== "cosigned" || key === undefined || note === undefined) return undefined;
  const signatures = verdict.lines.map(parseSignatureLine).filter((line) => line !== undefined);
  return verifiedSignature({ ...note, signatures }, key, ed25519)?.timestampS;
}

export function witnessContract(begin: () => Promise<WitnessFixture>): void {
  test("a witness cosigns a log from its first checkpoint on, as it grows and unchanged", async () => {
    const { witness } = await begin();
    const beganS = Math.floor(Date.now() / 1_000);
    for (const [from, size] of [
      [0, 70],
      [70, 300],
      [300, 300],
    ] as const) {
      const verdict = await witness.addCheckpoint(await log.request(from, size), never);
      expect(timestampOf(verdict, size, witness)).toBeGreaterThanOrEqual(beganS);
    }
  });

  test("asked from another size than it saw, it says which it saw", async () => {
    const { witness } = await begin();
    const first = await log.request(70, 70);
    expect(await witness.addCheckpoint(first, never)).toEqual({ kind: "at", size: 0 });
    await witness.addCheckpoint(await log.request(0, 150), never);
    expect(await witness.addCheckpoint(await log.request(0, 150), never)).toEqual({ kind: "at", size: 150 });
    expect(await witness.addCheckpoint(await fork.request(150, 150), never)).toEqual({
      kind: "at",
      size: 150,
    });
  });

  test("a fork, an unknown log and a bad signature are refused with the status of the protocol", async () => {
    const { witness } = await begin();
    await witness.addCheckpoint(await log.request(0, 150), never);
    const forked = await fork.request(150, 300);
    expect(await witness.addCheckpoint(forked, never)).toEqual({ kind: "refused", status: 422 });
    const unknown = await stranger.request(0, 150);
    expect(await witness.addCheckpoint(unknown, never)).toEqual({ kind: "refused", status: 404 });
    const { oldSize, proof } = await log.request(150, 300);
    const checkpoint = log.note(300).replace("\n300\n", "\n301\n");
    expect(await witness.addCheckpoint({ oldSize, proof, checkpoint }, never)).toEqual({
      kind: "refused",
      status: 403,
    });
  });

  test("a witness that is not there, or does not answer before the signal, is WITNESS_UNAVAILABLE", async () => {
    const { absent, silent } = await begin();
    const request = await log.request(0, 70);
    await expect(absent.addCheckpoint(request, never)).rejects.toMatchObject({ code: "WITNESS_UNAVAILABLE" });
    const stop = new AbortController();
    const asked = silent.addCheckpoint(request, stop.signal);
    stop.abort(new Error("enough"));
    await expect(asked).rejects.toMatchObject({ code: "WITNESS_UNAVAILABLE" });
  });
}
