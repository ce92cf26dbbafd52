/** The OpenAPI 3.1 document, from the same schemas that requests are checked by. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { lagHeader } from "../store-lag.ts";
import { auditLogShape } from "./audit-log.ts";
import { componentsOf, type JsonSchema, sentShape } from "./json-schema.ts";
import { problemShape } from "./problem.ts";
import type { AnswerShape, Route } from "./route.ts";

type Transform = NonNullable<FastifyDynamicSwaggerOptions["transform"]>;
type Fields = Route["query"];

const isEmpty = (fields: Fields): boolean => Object.keys(fields).length === 0;

const answerHeaders = {
  [lagHeader]: {
    type: "integer",
    description:
      "Seconds: all that Kafka held so long ago was in the store when it was read; absent where that is not known",
  },
  "x-audit-tree-size": {
    type: "integer",
    description: "Size of the latest published tree before the answer was read; absent until there is one",
  },
};
const contentOf = (shapes: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  Object.fromEntries(Object.entries(shapes).map(([type, schema]) => [type, { schema }]));

const answerOf = ({ description, content }: AnswerShape, status: number): JsonSchema => ({
  description,
  content: contentOf(content),
  ...(status === 200 ? { headers: answerHeaders } : {}),
});

function schemaOf(route: Route): JsonSchema {
  const { name, summary, tag, params, query, body, answers } = route;
  return {
    operationId: name,
    summary,
    tags: [tag],
    ...(isEmpty(params) ? {} : { params: sentShape(params) }),
    ...(isEmpty(query) ? {} : { querystring: sentShape(query) }),
    ...(body === undefined
      ? {}
      : { body: { content: contentOf(body.shapes) }, headers: sentShape(body.headers) }),
    response: Object.fromEntries(
      Object.entries(answers).map(([status, shape]) => [status, answerOf(shape, Number(status))]),
    ),
  };
}

const schemas = { ...componentsOf(auditLogShape), ...componentsOf(problemShape) } as Record<string, object>;

export const openApiOptions = (): FastifyDynamicSwaggerOptions => ({
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "Lastro",
      version: "1",
      description:
        "The audit log that can be proven. Each question is answered as gRPC answers it (docs/rest.md). HEAD is answered as GET, without the body; methods that a path does not have are answered with 405, a problem, and `Allow`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
  },
  // The library keeps components of its own alone.
  transformObject: (given) =>
    "openapiObject" in given ? { ...given.openapiObject, components: { schemas } } : given.swaggerObject,
  transform: ((given) => {
    const route = given.route.config?.route;
    return { url: given.url, schema: route === undefined ? { hide: true } : schemaOf(route) };
  }) as Transform,
});
