/** The catalogue file's form. docs/catalogue.md describes it; unknown names are errors, so that a typing slip is never a silent default. */
import { Ajv2020 } from "ajv/dist/2020.js";
import * as ajvFormats from "ajv-formats";
import * as z from "zod";
import { actionTypes, severities } from "./event.ts";
import type { JsonValue } from "./json.ts";

/** The first fault of a payload, or undefined. Ajv's messages name the schema's demand, never the value. */
export type FaultFinder = (
  payload: JsonValue,
) => { readonly pointer: string; readonly message: string } | undefined;

/** Each schema stands alone: no references from one to another. Throws for what is no schema. */
function compileSchema(schema: Readonly<Record<string, unknown>>): FaultFinder {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, ownProperties: true, logger: false });
  ajvFormats.default.default(ajv);
  const validate = ajv.compile(schema);
  return (payload) => {
    if (validate(payload)) return undefined;
    const fault = validate.errors?.[0];
    return { pointer: fault?.instancePath ?? "", message: fault?.message ?? "does not match the schema" };
  };
}

const pointer = z
  .string()
  .max(512)
  .regex(
    /^\/(?:payload|metadata)(?:\/(?:[^~/]|~[01])+)+$/,
    "must be an RFC 6901 pointer below /payload or /metadata",
  );
const leafText = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, "must be 1 to 200 printable ASCII characters without spaces");
const pointers = z.array(pointer).max(64);
const listedText = z.string().min(1).max(1_000);

const versionForm = /^\d+\.\d+$/;
const isSchemaObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Days, at most 100 years. */
const retentionDaysMax = 36_500;

/** Also beside other errors, so that all are told at once. */
const always = () => true;

const rule = z
  .strictObject({
    entity_id: pointer.optional(),
    kind: z.enum(["change", "activity"]).optional(),
    action: z.enum(actionTypes).optional(),
    severity: z.enum(severities).optional(),
    resource_type: z.string().min(1).max(100).optional(),
    namespace: leafText.optional(),
    payload_is: z.enum(["state", "merge"]).optional(),
    index: pointers.optional(),
    never_index: pointers.optional(),
    search: pointers.optional(),
    processing: z
      .strictObject({
        legal_basis: listedText.optional(),
        purpose: listedText.optional(),
        retention_days: z.int().positive().max(retentionDaysMax).optional(),
      })
      .optional(),
    schemas: z
      .record(
        z.string(),
        z.custom<Readonly<Record<string, unknown>>>(isSchemaObject, "must be a JSON Schema object"),
      )
      .transform((given, context): ReadonlyMap<string, FaultFinder> => {
        const finders = new Map<string, FaultFinder>();
        for (const [version, schema] of Object.entries(given)) {
          if (!versionForm.test(version))
            context.addIssue({ code: "custom", path: [version], message: "must be major.minor" });
          try {
            finders.set(version, compileSchema(schema));
          } catch (cause) {
            const message = cause instanceof Error ? cause.message : String(cause);
            context.addIssue({ code: "custom", path: [version], message });
          }
        }
        return finders;
      })
      .optional(),
  })
  .refine(({ kind, action }) => kind !== "activity" || action === undefined, {
    path: ["action"],
    message: "an activity has no action: remove action or set kind to change",
    when: always,
  })
  .refine(({ kind, action }) => kind !== "change" || action !== undefined, {
    path: ["kind"],
    message: "a change needs an action: new, update, delete, disable or enable",
    when: always,
  });

const eventPattern = z
  .string()
  .max(128)
  .regex(
    /^[a-z0-9_]+(?:\.[a-z0-9_-]+)*\.(?:[a-z0-9_-]+|\*)$/,
    "must be an event type such as account.created, or account.* for all verbs of account",
  );

export const catalogueFile = z.strictObject({
  version: z.literal(1),
  unknown_major: z.enum(["accept", "reject"]).default("accept"),
  events: z.record(eventPattern, rule),
});
export type CatalogueFile = z.output<typeof catalogueFile>;
export type RuleFile = CatalogueFile["events"][string];
