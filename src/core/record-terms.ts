/** The terms that a record is found by in full text: words of its event type and entity id, and of the texts that the catalogue names. */
import { type Catalogue, type CatalogueRule, ruleFor } from "./catalogue.ts";
import { indexedText } from "./entity.ts";
import type { JsonValue } from "./json.ts";
import { isWithin, resolvePointer } from "./json-pointer.ts";
import { termsIn } from "./terms.ts";

/** Of one record: those that come first. */
export const recordTermsMax = 64;
/** An id of more words, such as a UUID, is no text: it is asked for by `entity_id`. */
export const entityIdTermsMax = 3;
/** Searched where the catalogue declares nothing for an event type. */
export const searchedByDefault: readonly string[] = [
  "/payload/name",
  "/payload/title",
  "/payload/description",
  "/metadata/description",
];

/** Raised when the same event gives other terms than before. */
const termsFormat = 2;

export type SearchedEvent = {
  readonly eventType: string;
  readonly entityId: string | undefined;
  readonly payload: JsonValue | undefined;
  readonly metadata: JsonValue | undefined;
};

const searchedBy = (rule: CatalogueRule | undefined): readonly string[] =>
  (rule?.search ?? searchedByDefault).filter(
    (pointer) => !rule?.neverIndex.some((never) => isWithin(pointer, never)),
  );

/** Each once. */
export function recordTerms(catalogue: Catalogue, event: SearchedEvent): readonly string[] {
  const { eventType, entityId = "", payload, metadata } = event;
  const fields = { payload: payload ?? null, metadata: metadata ?? null };
  const idTerms = termsIn(entityId);
  const terms = new Set([...termsIn(eventType), ...(idTerms.length > entityIdTermsMax ? [] : idTerms)]);
  for (const pointer of searchedBy(ruleFor(catalogue, eventType)))
    for (const term of termsIn(indexedText(resolvePointer(fields, pointer)) ?? "")) terms.add(term);
  return [...terms].slice(0, recordTermsMax);
}

/** Text that changes whenever the same event would give other terms. */
export const termRules = ({ rules }: Catalogue): string =>
  JSON.stringify([
    termsFormat,
    searchedByDefault,
    [...rules]
      .filter(([, rule]) => rule.search !== undefined || rule.neverIndex.length > 0)
      .map(([eventType, rule]) => [eventType, searchedBy(rule)])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
  ]);
