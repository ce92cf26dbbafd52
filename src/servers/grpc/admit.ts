/** Before a handler sees a call: whether its caller asks too much, and whether any grant allows it. */
import type { Caller } from "../../core/caller.ts";
import type { Guard } from "../../query/deps.ts";
import { requireScopes } from "../../query/permit.ts";

/** To be called when the call has ended. Throws LIMIT_REACHED, PERMISSION_DENIED. */
export function admit(guard: Guard, method: string, caller: Caller): () => void {
  const leave = guard.limits.enter(caller);
  try {
    requireScopes({ guard }, caller, method);
    return leave;
  } catch (denied) {
    leave();
    throw denied;
  }
}
