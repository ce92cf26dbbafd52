/** What is kept of an export in the store: enough to go on with it after a crash, and to tell how it went. */
import type { Catalogue } from "../core/catalogue.ts";
import { type ErrorCode, LastroError } from "../core/errors.ts";
import type { ExportFormat } from "../core/export-formats.ts";
import { termRules } from "../core/record-terms.ts";
import { sha256 } from "../lib/sha256.ts";
import type { StoredJob } from "../ports/store-state.ts";
import type { Caller } from "./deps.ts";

export type ExportPart = {
  readonly name: string;
  readonly bytes: number;
  readonly records: number;
  /** 64 hex digits. */
  readonly sha256: string;
};

export type ExportJob = {
  readonly caller: Caller;
  /** Part of it was written while personal access showed its caller whom it masks. */
  readonly opened?: true;
  readonly filter: string;
  /** Of a filter that asks for text: by which rules a record has its words, hashed. */
  readonly words?: string;
  readonly format: ExportFormat;
  /** Of what its parts are written in; absent: 1. */
  readonly formatsVersion?: number;
  readonly treeSize: number;
  /** The signed note of that tree, for evidence. */
  readonly checkpoint: string | null;
  readonly state: "running" | "done" | "failed" | "cancelled";
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  readonly expiresAtMs: number;
  /** Leaves below it are done with. */
  readonly nextIndex: number;
  readonly seen: number;
  readonly written: number;
  readonly bytes: number;
  readonly parts: readonly ExportPart[];
  readonly alteredRids: readonly string[];
  readonly moreAltered: boolean;
  readonly fault: { readonly code: ErrorCode; readonly message: string } | null;
};
export type KeptExport = { readonly name: string; readonly job: ExportJob; readonly revision: number };

const nameForm = /^export-[0-9a-f]{32}$/;
export const isExportName = (name: string): boolean => nameForm.test(name);

export const keptExport = ({ name, text, revision }: StoredJob): KeptExport => ({
  name,
  job: JSON.parse(text),
  revision,
});

export const wordsBy = (catalogue: Catalogue): string =>
  Buffer.from(sha256(Buffer.from(termRules(catalogue)))).toString("hex");

export const noSuchExport = (): LastroError =>
  new LastroError("NOT_FOUND", "there is no such export, or it has expired", { field: "name" });
