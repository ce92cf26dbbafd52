/** A published checkpoint. */
import type { CheckpointName } from "../ports/log-store.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { permit } from "./permit.ts";
import { requireTree } from "./prove.ts";
import type { SignedTree } from "./published-log.ts";

export async function getCheckpoint(
  deps: QueryDeps,
  name: CheckpointName,
  caller: Caller,
  signal: AbortSignal,
): Promise<SignedTree> {
  permit(deps, caller, "GetCheckpoint");
  return requireTree(deps.log, name, signal);
}
