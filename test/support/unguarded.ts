/** For questions whose answers are what a test is about: nobody is watched, nobody asks too much, and nothing was asked for specially. */
import { noWatch } from "../../src/access/watch.ts";
import type { Guard } from "../../src/query/deps.ts";

const noneHere = async (): Promise<never> => {
  throw new Error("not part of this test");
};

export const unguarded: Guard = {
  watch: noWatch,
  limits: { enter: () => () => undefined },
  personal: {
    isOpened: () => false,
    refresh: noneHere,
    ask: noneHere,
    approve: noneHere,
    list: noneHere,
  },
  switches: { isOn: async () => true },
  switchedOff: () => undefined,
};

const asked = { id: "1", callerId: "a", reason: "r", askedAtMs: 0, forMs: 1, approval: undefined };
/** Whoever gets as far as to ask for personal access, or to approve it, is answered. */
export const openGuard: Guard = {
  ...unguarded,
  personal: {
    isOpened: () => false,
    refresh: async () => undefined,
    ask: async () => asked,
    approve: async () => asked,
    list: async () => [asked],
  },
};
