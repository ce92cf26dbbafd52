/** Checkpoints: what a log commits to, as the text of a signed note. C2SP tlog-checkpoint. */
import { fromBase64, toBase64 } from "./base64.ts";
import { hashBytes } from "./merkle.ts";

export type Checkpoint = {
  readonly origin: string;
  /** Leaves. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array;
};

export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${toBase64(root)}\n`;

const decimal = /^(?:0|[1-9]\d{0,15})$/;

/** Lines behind the third are extensions of other logs and are passed over; none may be empty. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const lines = text.split("\n");
  const [origin = "", sizeText = "", rootText = ""] = lines;
  const size = Number(sizeText);
  const root = fromBase64(rootText);
  if (lines.pop() !== "" || lines.length < 3 || lines.includes("")) return undefined;
  if (!decimal.test(sizeText) || !Number.isSafeInteger(size) || root?.length !== hashBytes) return undefined;
  return { origin, size, root };
}
