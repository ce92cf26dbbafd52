/** The body of a witness's `add-checkpoint` call: C2SP tlog-witness. */
import { fromBase64, toBase64 } from "./base64.ts";
import { hashBytes } from "./merkle.ts";

export type AddCheckpoint = {
  /** Size that the witness is thought to have seen last. */
  readonly oldSize: number;
  /** RFC 6962 consistency proof from there, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
};

const proofLinesMax = 63;

export const formatAddCheckpoint = ({ oldSize, proof, checkpoint }: AddCheckpoint): string =>
  [`old ${oldSize}`, ...proof.map(toBase64), "", checkpoint].join("\n");

/** Undefined unless `formatAddCheckpoint` writes the same text. */
export function parseAddCheckpoint(body: string): AddCheckpoint | undefined {
  const border = body.indexOf("\n\n");
  const [first = "", ...lines] = body.slice(0, Math.max(border, 0)).split("\n");
  const [, sizeText] = /^old (0|[1-9]\d{0,15})$/.exec(first) ?? [];
  const oldSize = Number(sizeText);
  if (!Number.isSafeInteger(oldSize) || lines.length > proofLinesMax) return undefined;
  const proof = lines.map(fromBase64).filter((hash) => hash?.length === hashBytes) as Uint8Array[];
  if (proof.length !== lines.length) return undefined;
  return { oldSize, proof, checkpoint: body.slice(border + 2) };
}
