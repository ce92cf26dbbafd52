/** What changed between two versions of an entity, in its state. */
import { type Difference, differences } from "../core/diff.ts";
import { LastroError } from "../core/errors.ts";
import type { JsonValue } from "../core/json.ts";
import { type Caller, type EntityName, type QueryDeps, requireVersion } from "./deps.ts";
import { getState } from "./get-state.ts";
import type { RecordView } from "./record-view.ts";

export type CompareRequest = {
  readonly entity: EntityName;
  readonly fromVersion: number;
  readonly toVersion: number;
};
export type Comparison = {
  readonly differences: readonly Difference[];
  readonly from: RecordView;
  readonly to: RecordView;
};

export async function compareVersions(
  deps: QueryDeps,
  request: CompareRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<Comparison> {
  const { entity } = request;
  // Both before the first is asked for: a question that nobody waits for any more would end the process with its failure.
  const fromVersion = requireVersion(request.fromVersion, "from_version");
  const toVersion = requireVersion(request.toVersion, "to_version");
  const [from, to] = await Promise.all([
    stateAt(deps, entity, fromVersion, "from_version", caller, signal),
    stateAt(deps, entity, toVersion, "to_version", caller, signal),
  ]);
  return { differences: differences(from.state, to.state), from: from.record, to: to.record };
}

/** The state of a deleted entity, and one that was never told, is null. */
async function stateAt(
  deps: QueryDeps,
  entity: EntityName,
  version: number,
  field: string,
  caller: Caller,
  signal: AbortSignal,
): Promise<{ readonly state: JsonValue; readonly record: RecordView }> {
  const answer = await getState(deps, { entity, asOf: { version } }, caller, signal);
  if (!answer.found) {
    throw new LastroError("NOT_FOUND", `the entity has no version ${version}`, { field });
  }
  if (answer.state.kind === "erased") {
    throw new LastroError("FAILED_PRECONDITION", `the state of version ${version} was erased`, { field });
  }
  const { state, record } = answer;
  return { state: state.kind === "unknown" || state.deleted ? null : state.state, record };
}
