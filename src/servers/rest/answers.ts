/** What requests may be answered with, for the OpenAPI document. */
import * as z from "zod";
import { auditLogShape } from "./audit-log.ts";
import { shapeOf } from "./json-schema.ts";
import { problemShape, problemType } from "./problem.ts";
import type { AnswerShape } from "./route.ts";

const problems = {
  400: "A parameter, or the body, is wrong; `errors` names the field",
  401: "Who asks is not known",
  403: "Who asks may not",
  404: "There is no such thing",
  408: "The request did not arrive in time",
  409: "Not as things are; the detail says what to do",
  413: "The body is too large",
  414: "A part of the path is too long",
  415: "The body has another media type",
  429: "Too many requests; Retry-After says when",
  431: "The URL with the headers is too long",
  500: "The service cannot answer: what is kept is damaged (BODY_UNREADABLE, LOG_DAMAGED), or it failed (INTERNAL); its log has the cause",
  503: "Something is away, or too much is asked at once; try again",
  504: "Not ready in time",
} as const;
type ProblemStatus = keyof typeof problems;

const problemAnswers = (...statuses: readonly ProblemStatus[]): Readonly<Record<number, AnswerShape>> =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: problems[status], content: { [problemType]: shapeOf(problemShape) } },
    ]),
  );

export const readProblems = problemAnswers(400, 401, 403, 404, 408, 409, 414, 429, 431, 500, 503, 504);
export const publishProblems = problemAnswers(400, 401, 403, 408, 409, 413, 415, 429, 431, 500, 503, 504);

const treeSize = z.int().nullable().describe("Of the latest published tree before the answer was read");
export const seenShape = { tree_size: treeSize };
export const auditLogPage = z.object({
  data: z.array(auditLogShape),
  altered_ids: z.array(z.string()).describe("Found by altered search fields, and left out"),
  pagination: z.object({
    limit: z.int(),
    offset: z.int(),
    next_page_token: z.string().describe("Empty at the end, and only there"),
    start_tree_size: z
      .int()
      .nullable()
      .describe("tree_size of the first page; of full text, what the search index held of it"),
  }),
  ...seenShape,
});
