/** The OpenAPI document as a judge of answers, and requests drawn from it: as it says, nearly so, and not at all. */

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import fc from "fast-check";
import { eventText } from "./history-world.ts";

type Schema = { readonly type?: string; readonly enum?: readonly string[]; readonly format?: string };
type Parameter = {
  readonly name: string;
  readonly in: "query" | "path" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
};
type Response = { readonly content?: Readonly<Record<string, unknown>> };
type Operation = {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, Response>>;
};
export type OpenApi = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

export type Drawn = {
  readonly operation: Operation;
  readonly pointer: string;
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string | undefined;
};
export type Given = { readonly status: number; readonly type: string; readonly body: string };

const addFormats = addFormatsModule as unknown as typeof addFormatsModule.default;
const documentId = "openapi.json";
const escaped = (segment: string): string => segment.replaceAll("~", "~0").replaceAll("/", "~1");

/** What is wrong with an answer, by the document; undefined: nothing. */
export function judgeOf(document: OpenApi): (drawn: Drawn, given: Given) => string | undefined {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats(ajv);
  ajv.addSchema(document, documentId);
  const compiled = new Map<string, ValidateFunction>();
  return ({ operation, pointer }, { status, type, body }) => {
    const response = operation.responses[status];
    if (response === undefined) return `status ${status} is not documented`;
    const [media = ""] = type.split(";");
    if (response.content?.[media] === undefined) return `${media} is not documented for ${status}`;
    const at = `${pointer}/responses/${status}/content/${escaped(media)}/schema`;
    const fits = compiled.get(at) ?? ajv.compile({ $ref: `${documentId}#${encodeURI(at)}` });
    compiled.set(at, fits);
    const value: unknown = media === "text/csv" ? body : JSON.parse(body);
    return fits(value) ? undefined : `${status}: ${ajv.errorsText(fits.errors)}`;
  };
}

const hostile = fc.oneof(
  fc.constantFrom(
    "", " ", "0", "-1", "1.5", "1e9", "1000000000", "9".repeat(30), "NaN", "null", "true", "[]", "{}", "$ne", "$where",
    "a' OR '1'='1", "(a+)+$", "*".repeat(40), "../../etc/passwd", "\u0000", "\u001b[2J", "\u202e", "=1+1", "%", "%zz", "constructor", "__proto__",
    "2024-06-22", "2024-06-22T12:00:00Z", "2024-02-30T12:00:00Z", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00+14:00", "((((", "x".repeat(3_000),
  ),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
); // biome-ignore format: a list

function validFor({ name, schema }: Parameter, known: readonly string[]): fc.Arbitrary<string> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === "integer") return fc.nat(20).map(String);
  if (schema.format === "date-time")
    return fc.constantFrom("2024-06-22T12:00:00Z", "2020-01-01T00:00:00-03:00", "2030-01-01T00:00:00.5Z");
  if (name === "filter")
    return fc.constantFrom("severity >= LOW", "NOT active = true", 'event_type = "account.*"');
  return fc.constantFrom(...known);
}

type Piece = { readonly parameter: Parameter; readonly value: string | undefined; readonly twice: boolean };

const pieceOf = (parameter: Parameter, known: readonly string[]): fc.Arbitrary<Piece> => {
  const value = fc.oneof(
    { weight: 4, arbitrary: validFor(parameter, known) },
    { weight: 1, arbitrary: hostile },
  );
  const maybe =
    parameter.in === "path" ? value : fc.option(value, { nil: undefined, freq: parameter.required ? 9 : 1 });
  return fc.record({
    parameter: fc.constant(parameter),
    value: maybe,
    twice: fc.integer({ min: 0, max: 30 }).map((n) => n === 0),
  });
};

/** URLs are normalised before they are sent: these would lead elsewhere. */
const inPath = (value: string): string =>
  /^(\.|%2e){0,2}$/i.test(value) ? "x" : encodeURIComponent(value.toWellFormed());

function urlOf(path: string, pieces: readonly Piece[], more: string): string {
  let url = path;
  const query: string[] = more === "" ? [] : [more];
  for (const { parameter, value, twice } of pieces) {
    if (value === undefined) continue;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, () => inPath(value));
    else if (parameter.in === "query")
      for (let n = 0; n <= Number(twice); n++)
        query.push(`${parameter.name}=${encodeURIComponent(value.toWellFormed())}`);
  }
  return query.length === 0 ? url : `${url}?${query.join("&")}`;
}

const more = fc.oneof(
  { weight: 12, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "user_id[$ne]=1",
      "limit[]=1",
      "__proto__=1",
      "constructor[prototype]=1",
      "%zz=%zz",
      "&&&",
      "=",
      "a.b=1",
    ),
  },
);

let events = 0;
/** Each another event, so that no two are one. */
const event = fc.constant(undefined).map(() => eventText({ payload: { public_id: "fuzzed", n: events++ } }));
const body = fc.oneof(
  event,
  fc
    .tuple(event, fc.nat(), fc.string({ unit: "binary", maxLength: 3 }))
    .map(
      ([text, at, piece]) =>
        `${text.slice(0, at % text.length)}${piece}${text.slice((at + 1) % text.length)}`,
    ),
  fc.json(),
  hostile,
);
const bodyType = fc.constantFrom(
  "application/json",
  "application/json",
  "application/cloudevents+json",
  "text/plain",
  "",
);

/** `known`: values that are there. */
export function requestsOf(document: OpenApi, known: readonly string[]): fc.Arbitrary<Drawn> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const pointer = `/paths/${escaped(path)}/${method}`;
      const pieces = fc.tuple(...(operation.parameters ?? []).map((parameter) => pieceOf(parameter, known)));
      const isPost = method === "post";
      return fc.tuple(pieces, more, isPost ? body : fc.constant(undefined), bodyType).map(
        ([drawn, extra, payload, type]): Drawn => ({
          operation,
          pointer,
          method: isPost ? "POST" : "GET",
          url: urlOf(path, drawn, extra),
          headers: isPost && type !== "" ? { "content-type": type } : {},
          payload,
        }),
      );
    }),
  );
  return fc.oneof(...operations);
}
