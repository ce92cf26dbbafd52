/** What else simulated worlds are made of keeps the contracts that the real things keep: signing key, witness, hints, dead letters. */
import { describe } from "@jest/globals";
import { memoryHints } from "../../src/adapters/memory/hints.ts";
import { parseVerifierKey } from "../../src/core/signed-note.ts";
import { callBy, noFaults, reached } from "../simulator/calls.ts";
import { hintsBehind } from "../simulator/hints.ts";
import { type Letter, memoryLetters } from "../simulator/letters.ts";
import { makeScheduler } from "../simulator/scheduler.ts";
import { memorySigner } from "../simulator/signer.ts";
import { testWitness } from "../support/asked-witness.ts";
import { drawFrom } from "../support/draw.ts";
import { sha256 } from "../support/log.ts";
import { checkpointSignerContract, origin } from "./checkpoint-signer.contract.ts";
import { deadLettersContract } from "./dead-letters.contract.ts";
import { dedupHintsContract } from "./dedup-hints.contract.ts";
import { pumped } from "./pumped.simulator.ts";
import { log, witnessContract } from "./witness.contract.ts";

const unharmed = () => noFaults;

describe("a simulated signing key", () => {
  checkpointSignerContract(async () => {
    const signer = memorySigner(new Uint8Array(32).fill(1));
    return {
      open: async () => signer.open(origin),
      addKey: async () => signer.addKey(new Uint8Array(32).fill(2)),
    };
  });
});

describe("a simulated witness", () => {
  const code = "WITNESS_UNAVAILABLE";
  const unanswered = callBy({
    code,
    faults: unharmed,
    onEffect: () => undefined,
    scheduler: makeScheduler(drawFrom(1)),
    life: { name: "one", state: "alive" },
  });
  witnessContract(async () => {
    const key = parseVerifierKey(sha256, log.vkey);
    const logKeys = async () => (key === undefined ? [] : [key]);
    const witness = await testWitness({ logKeys }, "witness.test/one", () => Math.floor(Date.now() / 1_000));
    const { vkey, addCheckpoint } = witness;
    const asked = (call: typeof unanswered) => ({ vkey, ...reached({ addCheckpoint }, "witness", call) });
    return {
      witness: asked(pumped({ code, faults: unharmed })),
      absent: asked(pumped({ code, faults: () => ({ lost: 100, unknown: 0 }) })),
      silent: asked(unanswered),
    };
  });
});

describe("simulated hints", () =>
  dedupHintsContract(async () => {
    const call = pumped({ code: "INTERNAL", faults: unharmed });
    return hintsBehind(memoryHints({ uidsMax: 10_000 }), call, {
      isAway: () => false,
      isForgotten: () => false,
    });
  }));

describe("a simulated dead letter topic", () =>
  deadLettersContract(async () => {
    const [topic, deadLetterTopic] = ["audit", "audit.dlq"];
    const letters: Letter[] = [];
    const events: (Letter & { readonly partition: number })[] = [];
    const call = pumped({ code: "DEAD_LETTERS_UNAVAILABLE", faults: unharmed });
    const publish = (partition: number, event: Letter): void => void events.push({ ...event, partition });
    const ways = memoryLetters({ name: deadLetterTopic, letters, consumer: "test-group", publish });
    const { send, replay } = reached({ send: ways.send, replay: ways.replay }, "letters", call);
    return {
      letters: { ...ways, send, replay },
      topic,
      deadLetterTopic,
      async read({ offset }) {
        const letter = letters[offset];
        if (letter === undefined) throw new Error("no such record");
        return letter;
      },
      readAll: async (_, partition) => events.filter((event) => event.partition === partition),
    };
  }));
