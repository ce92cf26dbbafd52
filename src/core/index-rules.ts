/** The rules that the search index is made by: what was indexed under others is made anew. */
import type { Catalogue } from "./catalogue.ts";
import { termRules } from "./record-terms.ts";

/** Raised when the same records give other cells than before. */
const cellsFormat = 1;
export const indexRules = (catalogue: Catalogue): string =>
  JSON.stringify([cellsFormat, termRules(catalogue)]);
