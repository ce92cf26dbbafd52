/** How often each fault test runs, and the seed of what it draws. */
import { randomInt } from "node:crypto";
import { test } from "@jest/globals";

const seedsEnd = 1_000_000;
/** More than one in the long form, where faults last longer too. */
export const rounds = Number(process.env["LASTRO_TEST_FAULT_ROUNDS"] ?? 1);
/** Of faults that take minutes each: so many of them that the long form ends within an hour and a half. */
export const fewRounds = Math.ceil(rounds / 4);
export const seed = Number(process.env["LASTRO_TEST_SEED"] ?? randomInt(seedsEnd));
/** Faults that mostly wait stand side by side, but one after the other where what they measure is published. */
export const sideBySide = fewRounds > 1 ? test : test.concurrent;
process.stdout.write(`faults drawn from seed ${seed} (LASTRO_TEST_SEED)\n`);
