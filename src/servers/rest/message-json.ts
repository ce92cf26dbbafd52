/** Generated messages as JSON, and the JSON Schema of that JSON, from one descriptor. Names are those of the proto files; 64-bit integers are text, bytes base64. */
import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import type { JsonSchema } from "./json-schema.ts";

export const messageText = <Message extends DescMessage>(
  schema: Message,
  init: MessageInitShape<Message>,
): string =>
  JSON.stringify(toJson(schema, create(schema, init), { useProtoFieldName: true, alwaysEmitImplicit: true }));

const timestampType = "google.protobuf.Timestamp";

/** Members without presence are always there. */
export function messageShape(message: DescMessage): JsonSchema {
  if (message.typeName === timestampType) return { type: "string", format: "date-time" };
  const properties = Object.fromEntries(message.fields.map((field) => [field.name, fieldShape(field)]));
  const required = message.fields.filter(isAlwaysThere).map(({ name }) => name);
  return { type: "object", properties, required, additionalProperties: false };
}

const isAlwaysThere = (field: DescField): boolean =>
  field.fieldKind === "list" ||
  field.fieldKind === "map" ||
  (field.fieldKind !== "message" && field.oneof === undefined && !field.proto.proto3Optional);

function fieldShape(field: DescField): JsonSchema {
  switch (field.fieldKind) {
    case "list": {
      const items =
        field.listKind === "scalar"
          ? scalarShape(field.scalar)
          : field.listKind === "enum"
            ? enumShape(field.enum)
            : messageShape(field.message);
      return { type: "array", items };
    }
    case "map":
      return { type: "object" };
    case "message":
      return messageShape(field.message);
    case "enum":
      return enumShape(field.enum);
    case "scalar":
      return scalarShape(field.scalar);
  }
}

const enumShape = ({ values }: DescEnum): JsonSchema => ({
  type: "string",
  enum: values.map(({ name }) => name),
});

function scalarShape(scalar: ScalarType): JsonSchema {
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.INT64:
      return { type: "string", pattern: "^-?\\d+$" };
    case ScalarType.INT32:
      return { type: "integer" };
    default:
      return { type: "string" };
  }
}
