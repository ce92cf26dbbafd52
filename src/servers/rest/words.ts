/** Parameters of requests: what each may be, and what they ask for. All of them are text until they are read here. */
import * as z from "zod";
import { severities, statuses } from "../../core/event.ts";
import { filterBytesMax, textWordsMax } from "../../core/filter.ts";
import { normaliseIp } from "../../core/ip-address.ts";
import { pageTokenCharactersMax } from "../../core/page-token.ts";
import type { OrderField } from "../../core/search-walk.ts";
import { termsIn } from "../../core/terms.ts";
import { parseTimestamp } from "../../core/timestamp.ts";
import { type AuditWords, filterOfWords } from "../../query/audit-words.ts";
import type { WalkRequest } from "../../query/search-records.ts";

export const textCharactersMax = 256;
/** As JSON Schema says it. */
export const ipForm = { anyOf: [{ format: "ipv4" }, { format: "ipv6" }] };
/** Deeper pages go by `page_token`, which costs the same on each page. */
export const offsetMax = 10_000;

/** Characters are Unicode code points, as in JSON Schema. */
const hasAtMost = (max: number) => (given: string) =>
  given.length <= max || (given.length <= 2 * max && [...given].length <= max);

export const text = z
  .string()
  .min(1, "must not be empty")
  .refine(hasAtMost(textCharactersMax), `has more than ${textCharactersMax} characters`)
  .meta({ maxLength: textCharactersMax });

/** Of a topic incarnation and a partition, which is below 2^31; an offset is below 2^53. Their forms are told here, and checked where they are read. */
const srcForm = "[A-Za-z0-9_-]{22}\\.(0|[1-9]\\d{0,8}|1\\d{9})";
const offsetForm = "(0|[1-9]\\d{0,14}|[1-8]\\d{15})";
export const sourcePartition = text.meta({ pattern: `^${srcForm}$` });
export const recordId = text.meta({ pattern: `^${srcForm}\\.${offsetForm}$` });

/** A whole number without sign, in digits. */
export const whole = (max = Number.MAX_SAFE_INTEGER, tooLarge = "is too large") =>
  z
    .string()
    .refine((given) => /^\d{1,16}$/.test(given), "must be a whole number, not negative")
    .transform(Number)
    .refine((number) => number <= max, tooLarge)
    .meta({ type: "integer", minimum: 0, maximum: max });
/** Versions and sizes of trees begin at 1; that is checked where they are read. */
export const fromOne = whole().meta({ minimum: 1 });

export const time = z
  .string()
  .transform((given, context) => {
    const time = parseTimestamp(given, Number.MAX_SAFE_INTEGER);
    if (time.ok) return time.ms;
    context.addIssue(time.expected);
    return z.NEVER;
  })
  .meta({ format: "date-time", pattern: "^[2-9]" });

const ip = z
  .string()
  .transform((given, context) => {
    const address = normaliseIp(given);
    if (address !== undefined) return address;
    context.addIssue("must be one IPv4 or IPv6 address in its usual form");
    return z.NEVER;
  })
  .meta(ipForm);
export const oneOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words, `must be one of ${words.join(", ")}`);

export const tenant = { tenant: text.optional().describe("Only of this tenant") };
export const period = {
  from_date: time.optional().describe("Acts from this time on (RFC 3339)"),
  to_date: time.optional().describe("Acts up to this time, inclusive (RFC 3339)"),
};
export const filters = {
  ...tenant,
  ...period,
  action: text
    .optional()
    .describe("CREATE, READ, LOGIN_FAILED, …: the operation, whatever the verb's spelling"),
  resource: text.optional().describe("The resource type of the catalogue, or the entity's type"),
  resource_id: text.optional(),
  user_id: text.optional().describe("Who acted: `owner_id`"),
  status: oneOf(...statuses).optional(),
  severity: oneOf(...severities).optional(),
  ip_address: ip.optional().describe("The address that was acted from"),
  service_name: text.optional().describe("The producer service"),
  search: text
    .refine((given) => termsIn(given).length <= textWordsMax, `has more than ${textWordsMax} words`)
    .optional()
    .describe(
      "Full text: all of these words, whatever their accents and capitals, the last one as a beginning; or the beginning of a resource's or a user's id",
    ),
  filter: z
    .string()
    .max(filterBytesMax, `has more than ${filterBytesMax} characters`)
    .optional()
    .meta({ examples: ['severity >= HIGH AND event_type = "account.*"'] })
    .describe("AIP-160, see docs/search.md; must hold too"),
};
const sorts = ["timestamp", "recorded_at", "event_type", "resource_id", "service_name", "tenant", "trace_id", "user_id", "ownership_id"] as const; // biome-ignore format: a list
const sortFields: Readonly<Record<(typeof sorts)[number], OrderField>> = {
  timestamp: "action_at", recorded_at: "recorded_at", event_type: "event_type", resource_id: "entity_id",
  service_name: "producer_service", tenant: "tenant", trace_id: "trace_id", user_id: "owner_id", ownership_id: "ownership_id",
}; // biome-ignore format: a table
export const order = {
  sort_by: oneOf(...sorts)
    .optional()
    .describe(
      "timestamp (default): when it was done; recorded_at: when it was stored; else by this text, then by recorded_at",
    ),
  sort_order: oneOf("ASC", "DESC").optional().describe("DESC by default"),
};
export const paging = {
  limit: whole().optional().describe("50 by default; above 1,000 it is 1,000"),
  page_token: z
    .string()
    .max(pageTokenCharactersMax, "is not a token of this service")
    .meta({ pattern: "^[A-Za-z0-9_-]*$" })
    .optional()
    .describe("next_page_token of the page before"),
};
export const offset = {
  offset: whole(
    offsetMax,
    `is above ${offsetMax}: go on with page_token, which costs the same however deep the page is`,
  )
    .optional()
    .describe("Records to pass over; not with page_token"),
};

type Given<Fields extends Readonly<Record<string, z.ZodType>>> = z.output<z.ZodObject<Fields>>;
export type FiltersGiven = Partial<Given<typeof filters>>;

/** `more` holds beside what was given, such as a part of the path. */
export function walkOf(given: FiltersGiven & Given<typeof order>, more: AuditWords = {}): WalkRequest {
  const {
    from_date: fromMs,
    to_date: toMs,
    filter = "",
    sort_by: by = "timestamp",
    sort_order: direction,
  } = given;
  const words = defined({
    tenant: given.tenant,
    action: given.action,
    resource: given.resource,
    resourceId: given.resource_id,
    userId: given.user_id,
    status: given.status,
    severity: given.severity,
    ipAddress: given.ip_address,
    serviceName: given.service_name,
    search: given.search,
    fromMs,
    toMs,
  });
  const field = sortFields[by];
  const orderBy = direction === "ASC" ? field : `${field} desc`;
  return { filter, orderBy, also: filterOfWords({ ...words, ...more }) };
}

const defined = (words: { readonly [Name in keyof AuditWords]: AuditWords[Name] | undefined }): AuditWords =>
  Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined));
