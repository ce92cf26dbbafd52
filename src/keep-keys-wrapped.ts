/** The part of the composition root that takes over new KEKs and re-wraps what older ones wrap, while serving. */
import type { Config } from "./config.ts";
import { LastroError } from "./core/errors.ts";
import { repeat } from "./lib/upkeep.ts";
import type { Randomness } from "./ports/clock.ts";
import type { Log } from "./ports/log.ts";
import type { Store } from "./ports/store.ts";
import { tellingRewrap } from "./privacy/rotate.ts";
import type { StoreKeys } from "./privacy/store-keys.ts";

export function keepKeysWrapped(
  { keys: { refreshMs } }: Config,
  { state, keys }: Store,
  { ring }: StoreKeys,
  { log, random }: { readonly log: Log; readonly random: Randomness },
  signal: AbortSignal,
): void {
  const rewrap = tellingRewrap({ state, keys, ring, random }, log);
  void repeat(
    refreshMs,
    signal,
    () => rewrap(signal),
    (cause) =>
      log.warn(
        "keys_not_rewrapped",
        cause instanceof LastroError ? cause.message : "the next pass tries again",
      ),
  );
}
