/** A published checkpoint. */
import type { CheckpointName } from "../ports/log-store.ts";
import type { Caller, QueryDeps } from "./deps.ts";
import { requireTree } from "./prove.ts";
import type { SignedTree } from "./published-log.ts";

export const getCheckpoint = (
  { log }: QueryDeps,
  name: CheckpointName,
  _caller: Caller,
  signal: AbortSignal,
): Promise<SignedTree> => requireTree(log, name, signal);
