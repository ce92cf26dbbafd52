/** Callers with grants, and the way they prove who they are to a server of a test: by name. */
import type { Metadata } from "@grpc/grpc-js";
import { type Caller, everywhere, type Grant, type Role, type Scope } from "../../src/core/caller.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { Authenticate } from "../../src/ports/authenticate.ts";

export const grant = (role: Role, bounds: Partial<Scope> = {}): Grant => ({
  role,
  scope: { ...everywhere, ...bounds },
});

export const person = (name: string, ...grants: readonly Grant[]): Caller => ({
  id: `person:test#${name}`,
  kind: "person",
  grants,
});

/** Whoever says the id of a caller is that caller. */
export const authenticateAs =
  (...callers: readonly Caller[]): Authenticate =>
  async ({ authorization }) => {
    const caller = callers.find(({ id }) => id === authorization);
    if (caller === undefined) throw new LastroError("UNAUTHENTICATED", "nobody known");
    return caller;
  };

export function sayId(metadata: Metadata, { id }: Caller): Metadata {
  metadata.set("authorization", id);
  return metadata;
}
