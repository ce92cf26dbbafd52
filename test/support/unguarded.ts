/** For questions whose answers are what a test is about: nobody is watched, nobody asks too much, and nothing was asked for specially. */
import { noWatch } from "../../src/access/watch.ts";
import type { Guard } from "../../src/query/deps.ts";

export const unguarded: Guard = {
  watch: noWatch,
  limits: { enter: () => () => undefined },
  isOpened: () => false,
};
