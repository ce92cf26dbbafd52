/** Where a check stands, as JSON: written between runs, so that an interrupted check goes on where it was. */
import type { Finding, FindingsSoFar } from "../core/findings.ts";
import type { WalkState } from "../core/log-walk.ts";
import type { RivalState } from "../core/rival-trees.ts";
import type { TileId } from "../core/tiles.ts";
import type { CheckPass, PassLeaf } from "./check-pass.ts";
import type { Gone } from "./check-record.ts";

export type CheckState = {
  readonly v: 2;
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
  v: 2,
  trees: pass.trees.state(),
  walk: pass.walk.state(),
  block: [...pass.block],
  findings: { listed: pass.findings.listed(), counts: pass.findings.counts() },
  gone: [...pass.gone],
  objects: [...pass.objects],
  wrong: [...pass.wrong],
  opened: pass.bodies.opened,
});

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
    return state.v === 2 ? state : undefined;
  } catch {
    return undefined;
  }
}
