/** The terms of a record by what is sealed in it: those it is indexed by, and those it is held against when it was found. */

import { parseExactly } from "../core/canonical.ts";
import type { Catalogue } from "../core/catalogue.ts";
import type { JsonValue } from "../core/json.ts";
import { recordTerms } from "../core/record-terms.ts";
import type { RecordContent } from "./record-view.ts";

const decoder = new TextDecoder();
const parse = (json: Uint8Array): JsonValue | undefined =>
  json.length === 0 ? undefined : parseExactly(decoder.decode(json));

/** Undefined content: only what the entry says is known. */
export const contentTerms = (
  catalogue: Catalogue,
  eventType: string,
  content: RecordContent | undefined,
): readonly string[] =>
  recordTerms(catalogue, {
    eventType,
    entityId: content?.entityId,
    payload: content && parse(content.payload),
    metadata: content && parse(content.metadata),
  });
