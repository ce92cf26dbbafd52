/** The catalogue file's form. docs/catalogue.md describes it; unknown names are errors, so that a typing slip is never a silent default. */
import * as z from "zod";
import { actionTypes, severities } from "./event.ts";

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

/** Days, at most 100 years. */
const retentionDaysMax = 36_500;

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
    processing: z
      .strictObject({
        legal_basis: listedText.optional(),
        purpose: listedText.optional(),
        retention_days: z.int().positive().max(retentionDaysMax).optional(),
      })
      .optional(),
    schemas: z
      .record(z.string().regex(/^\d+\.\d+$/, "must be major.minor"), z.record(z.string(), z.unknown()))
      .optional(),
  })
  .superRefine((given, context) => {
    if (given.kind === "activity" && given.action !== undefined)
      context.addIssue({
        code: "custom",
        path: ["action"],
        message: "an activity has no action: remove action or set kind to change",
      });
    if (given.kind === "change" && given.action === undefined)
      context.addIssue({
        code: "custom",
        path: ["kind"],
        message: "a change needs an action: new, update, delete, disable or enable",
      });
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
