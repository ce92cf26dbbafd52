/** A proof that travels with a checkpoint in one text file: C2SP tlog-proof. */
import { fromBase64, toBase64 } from "./base64.ts";
import { hashBytes, pathHashesMax } from "./merkle.ts";

export type TlogProof = {
  /** Opaque bytes of the application. */
  readonly extra: Uint8Array | undefined;
  readonly index: number;
  readonly path: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
};

const head = "c2sp.org/tlog-proof@v1";
const proofCharactersMax = 1_000_000;

export function formatTlogProof({ extra, index, path, checkpoint }: TlogProof): string {
  const lines = [head];
  if (extra !== undefined) lines.push(`extra ${toBase64(extra)}`);
  lines.push(`index ${index}`, ...path.map(toBase64), "", checkpoint);
  return lines.join("\n");
}

/** Undefined unless `formatTlogProof` writes the same text. */
export function parseTlogProof(text: string): TlogProof | undefined {
  if (text.length > proofCharactersMax) return undefined;
  const border = text.indexOf("\n\n");
  const [first, ...lines] = text.slice(0, Math.max(border, 0)).split("\n");
  const extraText = lines[0]?.startsWith("extra ") ? lines.shift()?.slice("extra ".length) : undefined;
  const extra = extraText === undefined ? undefined : fromBase64(extraText);
  const [, indexText] = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? "") ?? [];
  const index = Number(indexText);
  if (first !== head || !Number.isSafeInteger(index) || lines.length > pathHashesMax) return undefined;
  const path = lines.map(fromBase64).filter((hash) => hash?.length === hashBytes) as Uint8Array[];
  const proof = { extra, index, path, checkpoint: text.slice(border + 2) };
  return formatTlogProof(proof) === text ? proof : undefined;
}
