/** What a record draws beside its seal. */
import type { StreamAlias } from "../core/ids.ts";
import type { Randomness } from "../ports/clock.ts";
import { b64 } from "./sealed-format.ts";

const aliasBytes = 16;

/** Drawn when version 1 of a stream is sealed, and copied from the head afterwards. */
export const newAlias = (random: Randomness): StreamAlias => b64(random(aliasBytes)) as StreamAlias;
