/** Key-encryption keys (KEK), one per epoch, from outside the store. Losing them makes every body unreadable. */
import type { Kek } from "../core/key-ring.ts";

export type { Kek } from "../core/key-ring.ts";

/** Contract. `current` wraps new keys; `all` holds it and the older ones still in use. `refresh` reads the ring anew and throws KEY_UNAVAILABLE, keeping what it had. */
export type KeyRing = {
  current(): Kek;
  all(): readonly Kek[];
  refresh(): Promise<void>;
};
