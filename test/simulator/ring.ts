/** The key ring of a world as a process reads it: behind calls that fail, from a place where KEKs that come while it runs come late. */
import { keyRingBy } from "../../src/core/key-ring.ts";
import type { KeyRing } from "../../src/ports/key-ring.ts";
import { never } from "../support/log-world.ts";
import type { MemoryRing } from "../support/memory-keys.ts";
import type { Call } from "./calls.ts";

export function ringBehind({ keks }: MemoryRing, call: Call, isLate: () => boolean): Promise<KeyRing> {
  let arrived = 0;
  return keyRingBy(() =>
    call("ring.read", never, () => {
      if (arrived === 0 || !isLate()) arrived = keks.length;
      const all = keks.slice(0, arrived);
      return { all, current: all.at(-1)?.epoch ?? 0 };
    }),
  );
}
