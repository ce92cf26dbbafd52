/** Reads everything that a check holds against the log, as it is stored, damaged or not. Judges nothing. */
import type { Rid, Src } from "../core/ids.ts";
import type { OutcomeRow } from "../core/outcome.ts";
import type { RecordRow } from "../core/record.ts";

export type AuditedRecord = {
  /** Made of the key that the record is stored under. */
  readonly rid: Rid;
  readonly offset: number;
  /** Undefined where it is no text. */
  readonly entry: string | undefined;
  /** Undefined where a column holds what was never written. */
  readonly row: RecordRow | undefined;
};

/** An account document: offsets [from, to) have their outcome. */
export type AuditedAccount = { readonly from: number; readonly to: number };

/** Offsets and kind as the store finds the row by; `row`, what it holds, is undefined where it is unreadable. */
export type AuditedOutcome = {
  readonly from: number;
  readonly to: number;
  readonly kind: string;
  readonly row: OutcomeRow | undefined;
};

/**
 * Contract. Reads what is durable, in order and in bounded pages: a page is empty only at the end. Rows whose key cannot be read are left out.
 * Throws STORE_UNAVAILABLE.
 */
export type AuditReader = {
  /** Every source partition that an account, an outcome row or a record names, ascending. */
  sources(signal: AbortSignal): Promise<readonly Src[]>;
  /** Accounts that begin at `from` or beyond, ascending. */
  accounts(src: Src, from: number, limit: number, signal: AbortSignal): Promise<readonly AuditedAccount[]>;
  /** Outcome rows that begin in [from, to), ascending. */
  outcomes(
    src: Src,
    from: number,
    to: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly AuditedOutcome[]>;
  /** Records of offsets [from, to), ascending; fewer than `limit` where they hold more than `auditBytesMax`. */
  records(
    src: Src,
    from: number,
    to: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly AuditedRecord[]>;
};

/** Entries and bodies of one page; one record more may be over it. */
export const auditBytesMax = 8 * 1024 * 1024;
