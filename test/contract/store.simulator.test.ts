/** The stores of simulated worlds keep the contracts that the real ones keep: only so does a world prove something. */
import type { Store } from "../../src/ports/store.ts";
import { noFaults, reached, stepwiseLog, stepwiseRecords } from "../simulator/calls.ts";
import { openPlace } from "../simulator/place.ts";
import { keyStoreContract } from "./key-store.contract.ts";
import { logStateContract } from "./log-state.contract.ts";
import { logStoreContract } from "./log-store.contract.ts";
import { pumped } from "./pumped.simulator.ts";
import { recordStoreContract } from "./record-store.contract.ts";
import { storeStateContract } from "./store-state.contract.ts";

const openWith =
  (parts: (store: Store) => Partial<Store>): (() => Promise<Store>) =>
  async () => {
    const { store } = openPlace();
    const call = pumped({ code: "STORE_UNAVAILABLE", faults: () => noFaults });
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
