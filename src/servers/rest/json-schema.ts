/** Schemas of zod as JSON Schema (2020-12), for the OpenAPI document. */
import * as z from "zod";

export type JsonSchema = Readonly<Record<string, unknown>>;

const componentsAt = "#/components/schemas/";

/** Whole numbers that are answered are safe ones everywhere; that need not be said of each. */
function withoutSafeBounds(schema: Record<string, unknown>): void {
  if (schema["minimum"] === Number.MIN_SAFE_INTEGER) delete schema["minimum"];
  if (schema["maximum"] === Number.MAX_SAFE_INTEGER) delete schema["maximum"];
}

/** Schemas with a name are components of the document. */
function jsonSchema(schema: z.ZodType, io: "input" | "output"): z.core.JSONSchema.BaseSchema {
  const made = z.toJSONSchema(schema, {
    io,
    reused: "inline",
    ...(io === "output" ? { override: (given) => withoutSafeBounds(given.jsonSchema) } : {}),
  });
  return JSON.parse(JSON.stringify(made).replaceAll("#/$defs/", componentsAt));
}

/** As it is written: what is not named is not there. */
export function shapeOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, $defs: __, ...shape } = jsonSchema(schema, "output");
  return shape;
}

/** As a caller sends it: text that is then read. */
export function sentShape(fields: Readonly<Record<string, z.ZodType>>): JsonSchema {
  const { $schema: _, additionalProperties: __, ...shape } = jsonSchema(z.strictObject(fields), "input");
  return shape;
}

/** What has a name in it, by its name. */
export const componentsOf = (schema: z.ZodType): Readonly<Record<string, unknown>> =>
  jsonSchema(schema, "output").$defs ?? {};
