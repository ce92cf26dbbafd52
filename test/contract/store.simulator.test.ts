/** What simulated worlds are made of keeps the contracts that the real things keep: only so does a world prove something. */
import { describe } from "@jest/globals";
import type { Store } from "../../src/ports/store.ts";
import { type Call, callBy, noFaults, reached, stepwiseLog, stepwiseRecords } from "../simulator/calls.ts";
import { openPlace } from "../simulator/place.ts";
import { makeScheduler } from "../simulator/scheduler.ts";
import { memorySigner } from "../simulator/signer.ts";
import { drawFrom } from "../support/draw.ts";
import { checkpointSignerContract, origin } from "./checkpoint-signer.contract.ts";
import { keyStoreContract } from "./key-store.contract.ts";
import { logStateContract } from "./log-state.contract.ts";
import { logStoreContract } from "./log-store.contract.ts";
import { recordStoreContract } from "./record-store.contract.ts";
import { storeStateContract } from "./store-state.contract.ts";

/** A call whose turn comes by itself. */
function pumped(): Call {
  const scheduler = makeScheduler(drawFrom(1));
  const life = { name: "one", state: "alive" } as const;
  const way = { scheduler, life, faults: () => noFaults, onEffect: () => undefined };
  const call = callBy({ ...way, code: "STORE_UNAVAILABLE" });
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    while (await scheduler.step([]));
    isRunning = false;
  };
  return async (...asked) => {
    const answer = call(...asked);
    void run();
    return answer;
  };
}

const openWith =
  (parts: (store: Store) => Partial<Store>): (() => Promise<Store>) =>
  async () => {
    const { store } = openPlace();
    const call = pumped();
    const away = {
      records: reached(store.records, "records", call),
      log: reached(store.log, "log", call),
      keys: reached(store.keys, "keys", call),
      state: reached(store.state, "state", call),
    };
    return { ...store, ...away, ...parts({ ...store, ...away }) };
  };

const stores = [
  ["a simulated store", openWith(() => ({}))],
  [
    "a simulated store without transactions",
    openWith(({ records, log }) => ({ records: stepwiseRecords(records), log: stepwiseLog(log) })),
  ],
] as const;

for (const [name, open] of stores) {
  recordStoreContract(name, open);
  logStoreContract(name, open);
  logStateContract(name, open);
  keyStoreContract(name, open);
  storeStateContract(name, open);
}

describe("a simulated signing key", () => {
  checkpointSignerContract(async () => {
    const signer = memorySigner(new Uint8Array(32).fill(1));
    return {
      open: async () => signer.open(origin),
      addKey: async () => signer.addKey(new Uint8Array(32).fill(2)),
    };
  });
});
