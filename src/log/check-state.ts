/** Where a check stands, as JSON: written between runs, so that an interrupted check goes on where it was. */
import { LastroError } from "../core/errors.ts";
import type { Finding, FindingsSoFar } from "../core/findings.ts";
import type { WalkState } from "../core/log-walk.ts";
import type { RivalState } from "../core/rival-trees.ts";
import type { TileId } from "../core/tiles.ts";
import type { CheckPass, PassLeaf } from "./check-pass.ts";
import type { Gone } from "./check-record.ts";

export type CheckState = {
  readonly v: 4;
  /** Of the log that is checked. */
  readonly origin: string | undefined;
  readonly opensBodies: boolean;
  readonly trees: RivalState;
  readonly walk: WalkState;
  readonly block: readonly PassLeaf[];
  readonly findings: FindingsSoFar;
  readonly gone: readonly Gone[];
  readonly objects: readonly (readonly [number, Finding["object"]])[];
  readonly wrong: readonly { readonly copies: readonly number[]; readonly tile: TileId }[];
  readonly opened: number;
};

export const stateOf = (pass: CheckPass): CheckState => ({
  v: 4,
  origin: pass.origin,
  opensBodies: pass.deps.openBodies !== undefined,
  trees: pass.trees.state(),
  walk: pass.walk.state(),
  block: [...pass.block],
  findings: { listed: pass.findings.listed(), counts: pass.findings.counts() },
  gone: [...pass.gone],
  objects: [...pass.objects],
  wrong: [...pass.wrong],
  opened: pass.bodies.opened,
});

/** What a check is asked now; `sizes`: of the trees whose roots it needs. */
export type Asked = Pick<CheckState, "origin" | "opensBodies"> & { readonly sizes: readonly number[] };

/** Throws INVALID_ARGUMENT where what was checked before the state was written is not what is asked now. */
export function assertGoesOn(state: CheckState, asked: Asked): void {
  const differs = differenceOf(state, asked);
  if (differs === undefined) return;
  throw new LastroError(
    "INVALID_ARGUMENT",
    `the check cannot go on from its state: ${differs}; give the options that it began with, or remove the file to begin anew`,
  );
}

function differenceOf({ origin, opensBodies, trees }: CheckState, asked: Asked): string | undefined {
  if (origin !== asked.origin)
    return `it is of the log ${origin ?? "without a name"}, and the store holds ${asked.origin ?? "one without a name"}`;
  if (opensBodies !== asked.opensBodies) return `it began ${opensBodies ? "with" : "without"} --open-bodies`;
  const kept = new Set(trees.roots.map(([size]) => size));
  const passed = trees.edges[0]?.size ?? 0;
  const lost = asked.sizes.find((size) => size <= passed && !kept.has(size));
  if (lost === undefined) return undefined;
  return `it went by the tree of size ${lost} without keeping its root, and a checkpoint of that size is to be compared`;
}

const bytesMark = "$b64";

export const formatState = (state: CheckState): string =>
  // Node's buffers turn themselves into objects before a replacer sees them: what the holder has is asked for instead.
  JSON.stringify(state, function (this: Readonly<Record<string, unknown>>, key: string) {
    const value = this[key];
    if (value === undefined) return null;
    if (!(value instanceof Uint8Array)) return value;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    return { [bytesMark]: bytes.toString("base64") };
  });

/** Undefined for a text that this version did not write. A state is the operator's own: it is not checked against forgery. */
export function parseState(text: string): CheckState | undefined {
  try {
    const state: CheckState = JSON.parse(text, (_key, value: unknown) => {
      if (value === null) return undefined;
      const bytes = typeof value === "object" && bytesMark in value ? value[bytesMark] : undefined;
      return typeof bytes === "string" ? new Uint8Array(Buffer.from(bytes, "base64")) : value;
    });
    return state.v === 4 ? state : undefined;
  } catch {
    return undefined;
  }
}
