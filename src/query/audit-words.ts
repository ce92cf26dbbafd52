/** The words by which audit logs are asked for over REST, as a filter. */

import type { Severity, Status } from "../core/event.ts";
import { severities } from "../core/event.ts";
import { allOf, anyOf, compare, compareWords, type Filter } from "../core/filter.ts";
import { formOf, type SearchField } from "../core/search-fields.ts";

/** What is undefined does not bound. Times are ms since the epoch, both inclusive. */
export type AuditWords = Partial<{
  readonly tenant: string;
  readonly action: string;
  readonly resource: string;
  readonly resourceId: string;
  readonly userId: string;
  readonly status: Status;
  readonly severity: Severity;
  readonly ipAddress: string;
  readonly serviceName: string;
  /** Words of the record, the last one a beginning; or the beginning of an id. */
  readonly search: string;
  readonly fromMs: number;
  readonly toMs: number;
}>;

function equal(field: SearchField, text: string): Filter {
  const form = formOf(field);
  return compare(field, "=", form.type === "text" ? form.read(text) : text);
}

/** What the catalogue calls it, or the entity's type. */
const ofResource = (resource: string): Filter =>
  anyOf([equal("resource_type", resource), equal("entity_type", resource.toLowerCase())]);

/** Each part has an index: no other would leave a rare word to be looked for in every record. */
function ofSearch(text: string): Filter {
  const words = compareWords(text, true);
  const ids = (["entity_id", "owner_id"] as const).map((field) => compare(field, "prefix", text));
  return anyOf(words.length === 0 ? ids : [allOf(words), ...ids]);
}

export const failedAuth: Filter = anyOf([
  equal("operation", "LOGIN_FAILED"),
  allOf([equal("operation", "LOGIN"), equal("status", "FAILURE")]),
]);
export const critical: Filter = ofSeverity("CRITICAL");
export const logins: Filter = equal("operation", "LOGIN");
export const recordedUpTo = (ms: number): Filter => compare("recorded_at", "<=", ms);

function ofSeverity(severity: Severity): Filter {
  return compare("severity", "=", severities.indexOf(severity));
}

export function filterOfWords(words: AuditWords): Filter {
  const { tenant, action, resource, resourceId, userId, status, severity, ipAddress, serviceName } = words;
  const { search, fromMs, toMs } = words;
  const filters: Filter[] = [];
  if (tenant !== undefined) filters.push(equal("tenant", tenant));
  if (action !== undefined) filters.push(equal("operation", action));
  if (resource !== undefined) filters.push(ofResource(resource));
  if (resourceId !== undefined) filters.push(equal("entity_id", resourceId));
  if (userId !== undefined) filters.push(equal("owner_id", userId));
  if (status !== undefined) filters.push(equal("status", status));
  if (severity !== undefined) filters.push(ofSeverity(severity));
  if (ipAddress !== undefined) filters.push(equal("owner_ip", ipAddress));
  if (serviceName !== undefined) filters.push(equal("producer_service", serviceName));
  if (search !== undefined) filters.push(ofSearch(search));
  if (fromMs !== undefined) filters.push(compare("action_at", ">=", fromMs));
  if (toMs !== undefined) filters.push(compare("action_at", "<=", toMs));
  return allOf(filters);
}
