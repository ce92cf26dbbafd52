/** How far a list was given, as its page token holds it. */
import type { Rid } from "../core/ids.ts";
import type { PagePosition } from "../core/page-token.ts";
import { isTextField, type SearchOrder, type SearchPlace } from "../core/search-walk.ts";

export type ListPosition = {
  /** Undefined: nothing was given. */
  readonly after: SearchPlace | undefined;
  /** Matches to pass over before the next that is given. */
  readonly skip: number;
  readonly startTreeSize: number | undefined;
  /** Of all records given so far. */
  readonly digest: Uint8Array;
};

/** In a token, which has no place for what is absent. */
const noTree = -1;
/** The place may be that of a record that the caller may not see: a token does not tell how long its text is, only in such steps. */
const paddedBytes = 256;

export function positionParts(
  { field }: SearchOrder,
  list: ListPosition & { after: SearchPlace },
): PagePosition {
  const { after, skip, startTreeSize, digest } = list;
  const { value, at, rid } = after;
  const parts = [at, rid, startTreeSize ?? noTree, Buffer.from(digest).toString("base64url")];
  if (isTextField(field)) return [...parts, skip, value, paddingOf(value)];
  return skip === 0 ? parts : [...parts, skip];
}

const paddingOf = (text: string): string =>
  " ".repeat(paddedBytes - (Buffer.byteLength(JSON.stringify(text)) % paddedBytes));

export function positionOfParts([at, rid, size, digest, skip = 0, value = ""]: PagePosition): ListPosition {
  return {
    after: { value: String(value), at: Number(at), rid: String(rid) as Rid },
    skip: Number(skip),
    startTreeSize: typeof size === "number" && size !== noTree ? size : undefined,
    digest: Buffer.from(String(digest), "base64url"),
  };
}
