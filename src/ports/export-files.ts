/** Where the parts of exports lie. */

/** Contract. Only the service's user can read what is written. Throws STORE_UNAVAILABLE. */
export type ExportFiles = {
  /** Makes the place of an export. */
  create(name: string): Promise<void>;
  /** What lies here, and not with another process: its name, and when something was last put into it or taken out. */
  list(): Promise<readonly { readonly name: string; readonly changedAtMs: number }[]>;
  /** Whole or not at all, and durable once it resolves; replaces one of the same name, whichever process put it. */
  put(name: string, part: string, bytes: Uint8Array): Promise<void>;
  /** Undefined where it is not. */
  part(name: string, part: string): Promise<Uint8Array | undefined>;
  /** Takes away those parts that are not kept, and what was begun of any. */
  tidy(name: string, isKept: (part: string) => boolean): Promise<void>;
  /** With all its parts; nothing where it is not. */
  remove(name: string): Promise<void>;
};
