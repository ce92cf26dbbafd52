/** The standard envelope as a zod schema, after aliases are replaced. Its errors become one sentence that names fields, never values. */
import * as z from "zod";
import { normaliseIp } from "./ip-address.ts";
import { isJsonObject, type JsonObject, type JsonValue, member } from "./json.ts";
import { isIdText } from "./parse-options.ts";

const id = z.string().refine(isIdText);
/** Texts that go into leaf entries. */
const leafText = z.string().regex(/^[\x21-\x7e]{1,200}$/);
const eventType = z
  .string()
  .max(128)
  .regex(/^[a-z0-9_]+(?:\.[a-z0-9_-]+)+$/);
const jsonObject = z.custom<JsonObject>((value) => isJsonObject(value as JsonValue));
const ip = z.string().transform((text, context) => {
  const address = normaliseIp(text);
  if (address !== undefined) return address;
  context.addIssue("not an address");
  return z.NEVER;
});

const metadata = {
  owner_id: id,
  owner_ip: ip,
  owner_role: id,
  owner_type: z.enum(["user", "service"]),
  event_schema_version: z
    .string()
    .max(32)
    .regex(/^\d+(?:\.\d+){0,2}$/),
  tenant_id: leafText.default("default"),
};

const withOwnership = (ownershipId: z.ZodType<string | undefined>) =>
  z.object({
    producer_service: leafText,
    producer_service_id: id,
    trace_id: id,
    /** Numbers are told apart later: a timestamp of the wrong form has reasons of its own. */
    timestamp: z.union([z.string().min(1).max(64), z.number()]),
    event_type: eventType,
    payload: jsonObject,
    metadata: z.object({ ...metadata, ownership_id: ownershipId }),
  });

const ownedEnvelope = withOwnership(id);
const exemptEnvelope = withOwnership(id.optional());
export type CheckedEnvelope = z.output<typeof ownedEnvelope>;

const idText = "text of 1 to 256 characters without NUL";
const printable = "1 to 200 printable ASCII characters without spaces";
/** What each field must be; its keys are the fields the envelope knows. */
const expected: Readonly<Record<string, string>> = {
  "/producer_service": printable,
  "/producer_service_id": idText,
  "/trace_id": idText,
  "/timestamp": "an RFC 3339 date and time with zone",
  "/event_type": "lower-case words joined by dots, such as account.created, at most 128 characters",
  "/payload": "an object",
  "/metadata": "an object",
  "/metadata/owner_id": idText,
  "/metadata/owner_ip": "one IPv4 or IPv6 address in its usual form, without zone or port",
  "/metadata/owner_role": idText,
  "/metadata/owner_type": "user or service",
  "/metadata/event_schema_version": "a version such as 1.0",
  "/metadata/ownership_id": `${idText}: the id of the person whose data the event is about`,
  "/metadata/tenant_id": printable,
};
const topLevel = new Set(Object.keys(expected).map((pointer) => pointer.split("/")[1] as string));

export const hasUnknownFields = (event: JsonObject): boolean =>
  Object.keys(event).some((key) => !topLevel.has(key));

export type FieldFault = { readonly field: string; readonly sentence: string };
export const faultsListedMax = 20;

type Checked =
  | { readonly ok: true; readonly envelope: CheckedEnvelope }
  | { readonly ok: false; readonly faults: readonly FieldFault[] };

/** `ownershipExempt`: this producer's events need no ownership. */
export function checkEnvelope(event: JsonObject, ownershipExempt: boolean): Checked {
  const result = (ownershipExempt ? exemptEnvelope : ownedEnvelope).safeParse(event);
  if (result.success) return { ok: true, envelope: result.data };
  const fields = new Set(result.error.issues.map((issue) => `/${issue.path.join("/")}`));
  return {
    ok: false,
    faults: [...fields].map((field) => ({ field, sentence: faultSentence(event, field) })),
  };
}

function faultSentence(event: JsonObject, field: string): string {
  const [, top = "", inner] = field.split("/");
  const outer = member(event, top);
  const value = inner === undefined || !isJsonObject(outer) ? outer : member(outer, inner);
  return `${value === undefined ? "is missing: it must be" : "must be"} ${expected[field] ?? "as documented"}`;
}
