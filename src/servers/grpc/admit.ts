/** Before a handler sees a call: who asks, whether they ask too much, and whether any grant of theirs allows it. */
import type { Metadata } from "@grpc/grpc-js";
import { anyone, type Caller } from "../../core/caller.ts";
import type { Authenticate } from "../../ports/authenticate.ts";
import type { Guard } from "../../query/deps.ts";
import { requireScopes } from "../../query/permit.ts";

export type Door = { readonly authenticate: Authenticate | undefined; readonly guard: Guard };
type Admitted = {
  readonly caller: Caller;
  /** The call has ended. */
  readonly leave: () => void;
};

export async function admit(
  { authenticate, guard }: Door,
  method: string,
  metadata: Metadata,
  signal: AbortSignal,
): Promise<Admitted> {
  const caller = authenticate === undefined ? anyone : await authenticate(credentialsOf(metadata), signal);
  const leave = guard.limits.enter(caller);
  try {
    requireScopes({ guard }, caller, method);
  } catch (denied) {
    leave();
    throw denied;
  }
  return { caller, leave };
}

const textOf = (metadata: Metadata, name: string): string | undefined =>
  metadata.get(name).find((value) => typeof value === "string");

const credentialsOf = (metadata: Metadata) => ({
  authorization: textOf(metadata, "authorization"),
  m2mService: textOf(metadata, "x-m2m-service"),
  certificateNames: undefined,
});
