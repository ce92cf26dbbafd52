/** Pages: their size, the tokens that lead from one to the next, and where they close. A page always moves on by at least one row. */
import { hash } from "node:crypto";
import {
  decodePageToken,
  encodePageToken,
  type PageAead,
  type PageBinding,
  type PagePosition,
} from "../core/page-token.ts";
import { decrypt, encrypt, nonceBytes, tagBytes } from "../privacy/aes-gcm.ts";
import { type Caller, invalid, type QueryDeps } from "./deps.ts";

export const pageSizeDefault = 50;
export const pageSizeMax = 1000;
/** Below what a gRPC client takes by default, 4 MiB. */
export const pageBytesMax = 3.5 * 1024 * 1024;
/** Rows fetched at once: bounds what large bodies can take of memory. */
export const chunkRowsMax = 64;
/** Rows out of sight that are passed over for one page; then it closes, however few it has. */
export const passedRowsMax = 10_000;

export type PageRequest = { readonly pageSize: number; readonly pageToken: string };

export function pageSizeOf(asked: number): number {
  if (!Number.isInteger(asked) || asked < 0) throw invalid("page_size", "must not be negative");
  return asked === 0 ? pageSizeDefault : Math.min(asked, pageSizeMax);
}

function aeadOf(key: Uint8Array): PageAead {
  return {
    seal(nonce, plaintext, additional) {
      const { ciphertext, tag } = encrypt(key, nonce, additional, plaintext);
      return Buffer.concat([ciphertext, tag]);
    },
    open: (nonce, sealed, additional) =>
      sealed.length < tagBytes
        ? undefined
        : decrypt(key, nonce, additional, sealed.subarray(0, -tagBytes), sealed.subarray(-tagBytes)),
  };
}

export type Pager = {
  readonly size: number;
  /** Where to go on; undefined: from the beginning. */
  readonly after: PagePosition | undefined;
  tokenAt(position: PagePosition): string;
};

/** `question` is everything the request asks for but its page fields. */
export function pager(
  deps: QueryDeps,
  method: string,
  question: readonly unknown[],
  order: string,
  caller: Caller,
  page: PageRequest,
): Pager {
  const aead = aeadOf(deps.lookup.pageKey());
  const request = hash("sha256", JSON.stringify(question), "base64url");
  const binding: PageBinding = { method, request, caller: caller.id, order };
  return {
    size: pageSizeOf(page.pageSize),
    after: page.pageToken === "" ? undefined : decodePageToken(aead, page.pageToken, binding, deps.now()),
    tokenAt: (position) => encodePageToken(aead, deps.random(nonceBytes), binding, position, deps.now()),
  };
}

export type Collected<Row> = {
  readonly rows: readonly Row[];
  /** Behind which the next page begins; undefined: nothing in sight is left. */
  readonly last: Row | undefined;
};

/**
 * Rows in sight until the page is full by count or by bytes. `next` gives rows behind `after`, fewer than `limit` only at the end. Those out of sight
 * are passed over, and a page is the last one where none in sight is left: so pages tell nothing of them, unless more than `passedRowsMax` are passed.
 */
export async function collectRows<Row>(
  countMax: number,
  bytesOf: (row: Row) => number,
  next: (after: Row | undefined, limit: number) => Promise<readonly Row[]>,
  isInSight: (row: Row) => boolean = () => true,
): Promise<Collected<Row>> {
  const rows: Row[] = [];
  let [bytes, passed] = [0, 0];
  for (let after: Row | undefined; ; ) {
    // One more than fits tells whether this page is the last.
    const limit = passed > 0 ? chunkRowsMax : Math.min(chunkRowsMax, countMax - rows.length + 1);
    const chunk = await next(after, limit);
    for (const row of chunk) {
      after = row;
      if (!isInSight(row)) {
        passed += 1;
        continue;
      }
      bytes += bytesOf(row);
      if (rows.length === countMax || (rows.length > 0 && bytes > pageBytesMax))
        return { rows, last: rows.at(-1) };
      rows.push(row);
    }
    if (chunk.length < limit) return { rows, last: undefined };
    if (passed >= passedRowsMax) return { rows, last: after };
  }
}
