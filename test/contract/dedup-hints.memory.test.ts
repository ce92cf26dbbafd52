/** Hints in the process keep the contract. */
import { describe } from "@jest/globals";
import { memoryHints } from "../../src/adapters/memory/hints.ts";
import { dedupHintsContract } from "./dedup-hints.contract.ts";

describe("dedup hints in the process", () =>
  dedupHintsContract(async () => memoryHints({ uidsMax: 10_000 })));
