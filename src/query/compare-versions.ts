/** What changed between two versions of an entity, in its state. */
import { type Difference, differences } from "../core/diff.ts";
import { LastroError } from "../core/errors.ts";
import { exactText } from "../core/exact-json.ts";
import type { JsonValue } from "../core/json.ts";
import { type Caller, type EntityName, type QueryDeps, requireVersion } from "./deps.ts";
import { foldedState } from "./get-state.ts";
import { type Access, permit, tellRead } from "./permit.ts";
import type { RecordView } from "./record-view.ts";

export type CompareRequest = {
  readonly entity: EntityName;
  readonly fromVersion: number;
  readonly toVersion: number;
};
/** Values as JSON text; without them where a state is masked. */
export type ShownDifference = {
  readonly op: Difference["op"];
  readonly path: string;
  readonly oldValue?: string;
  readonly newValue?: string;
};
export type Comparison = {
  readonly differences: readonly ShownDifference[];
  readonly isMasked: boolean;
  readonly from: RecordView;
  readonly to: RecordView;
};

export async function compareVersions(
  deps: QueryDeps,
  request: CompareRequest,
  caller: Caller,
  signal: AbortSignal,
): Promise<Comparison> {
  const access = permit(deps, caller, "CompareVersions");
  const { entity } = request;
  // Both before the first is asked for: a question that nobody waits for any more would end the process with its failure.
  const fromVersion = requireVersion(request.fromVersion, "from_version");
  const toVersion = requireVersion(request.toVersion, "to_version");
  const [from, to] = await Promise.all([
    stateAt(deps, entity, fromVersion, "from_version", access, signal),
    stateAt(deps, entity, toVersion, "to_version", access, signal),
  ]);
  await tellRead(deps, access, [from.record, to.record], signal);
  const found = differences(from.state, to.state);
  const isMasked = !from.isWhole || !to.isWhole;
  return {
    differences: isMasked ? found.map(({ op, path }) => ({ op, path })) : found.map(shownDifference),
    isMasked,
    from: from.record,
    to: to.record,
  };
}

export const shownDifference = (difference: Difference): ShownDifference => ({
  op: difference.op,
  path: difference.path,
  ...("oldValue" in difference ? { oldValue: exactText(difference.oldValue) } : {}),
  ...("newValue" in difference ? { newValue: exactText(difference.newValue) } : {}),
});

/** The state of a deleted entity, and one that was never told, is null. */
async function stateAt(
  deps: QueryDeps,
  entity: EntityName,
  version: number,
  field: string,
  access: Access,
  signal: AbortSignal,
): Promise<{ readonly state: JsonValue; readonly record: RecordView; readonly isWhole: boolean }> {
  const answer = await foldedState(deps, { entity, asOf: { version } }, access, signal);
  if (!answer.found) {
    throw new LastroError("NOT_FOUND", `the entity has no version ${version}`, { field });
  }
  const { state, record, isWhole } = answer;
  if (state.kind === "erased") {
    throw new LastroError("FAILED_PRECONDITION", `the state of version ${version} was erased`, { field });
  }
  return { state: state.kind === "unknown" || state.deleted ? null : state.state, record, isWhole };
}
