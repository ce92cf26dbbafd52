/** The register of owners held against the records: it says what those say that are accounted for, and nothing that no record says. */
import type { SourceEvent } from "../../src/core/event.ts";
import type { OwnershipDocument } from "../../src/ports/history-reader.ts";
import {
  noteOwned,
  type OwnedEvent,
  type Owners,
  ownedEvent,
  ownerProblems,
} from "../support/owner-facts.ts";
import { assert } from "./violation.ts";

export type Owned = { readonly event: SourceEvent | undefined; readonly isAccounted: boolean };

/** Throws Violation. `owned`: of every record. */
export function checkOwners(register: readonly OwnershipDocument[], owned: Iterable<Owned>): void {
  const [due, stored]: [Owners, Owners] = [new Map(), new Map()];
  for (const { event, isAccounted } of owned) {
    const facts = event && factsOf(event);
    noteOwned(stored, facts);
    if (isAccounted) noteOwned(due, facts);
  }
  const problems = ownerProblems(register, due, stored);
  assert(problems.length === 0, () => problems.join("\n"));
}

/** Events are looked at after each step, and read once. */
const read = new WeakMap<SourceEvent, OwnedEvent>();

function factsOf(event: SourceEvent): OwnedEvent | undefined {
  const known = read.get(event) ?? ownedEvent(Buffer.from(event.value ?? []).toString("utf8"));
  if (known !== undefined) read.set(event, known);
  return known;
}
