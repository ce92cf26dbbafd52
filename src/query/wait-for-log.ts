/** Waits until a record is in the log; then it is read like any other. */
import type { Caller, QueryDeps } from "./deps.ts";
import { findRecord, type GetRecordRequest } from "./get-record.ts";
import type { LogStateAwaited } from "./log-waiters.ts";
import { permit } from "./permit.ts";

/** Throws as `findRecord` where there is no such record: for one that is not stored nobody waits. */
export async function waitForLog(
  deps: QueryDeps,
  request: GetRecordRequest,
  state: LogStateAwaited,
  caller: Caller,
  signal: AbortSignal,
): Promise<void> {
  const { rid } = await findRecord(deps, request, permit(deps, caller, "GetRecord"), signal);
  await deps.log.untilState(rid, state, signal);
}
