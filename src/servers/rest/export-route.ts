/** All that matches as one file, a few records at a time, however many they are. What is cut off ends in an error of the connection, and never looks whole. */
import { Readable } from "node:stream";
import * as z from "zod";
import { csvLine } from "../../core/csv.ts";
import { allOf } from "../../core/filter.ts";
import { recordedUpTo } from "../../query/audit-words.ts";
import type { Caller, QueryDeps } from "../../query/deps.ts";
import { lasting } from "../../query/lasting.ts";
import { permit } from "../../query/permit.ts";
import type { RecordView } from "../../query/record-view.ts";
import { type WalkRequest, walkRecords } from "../../query/search-records.ts";
import { type SeenTree, withSeenTree } from "../../query/seen-tree.ts";
import { requireOn } from "../../query/switched-on.ts";
import { piecesOf } from "./answer-bounds.ts";
import { readProblems } from "./answers.ts";
import { auditLogShape, auditLogText, csvCells, csvColumns } from "./audit-log.ts";
import { shapeOf } from "./json-schema.ts";
import { checkPeriod } from "./period.ts";
import { jsonAnswer, type Route, route } from "./route.ts";
import { filters, oneOf, order, walkOf } from "./words.ts";

const csvType = "text/csv; charset=utf-8; header=present";
type Seen = { readonly records: readonly RecordView[]; readonly seen: SeenTree };

export const exportRoute = (deps: QueryDeps): Route =>
  route({
    method: "GET",
    url: "/audit-logs/export",
    name: "exportAuditLogs",
    asks: "ExportRecords",
    summary: "All records that match and were stored when the export began, as JSON or CSV",
    tag: "audit logs",
    params: {},
    query: { ...filters, ...order, format: oneOf("json", "csv").optional().describe("json by default") },
    answers: {
      200: {
        description: "The records; a cell that a spreadsheet would calculate begins with an apostrophe",
        content: {
          ...jsonAnswer("", z.array(auditLogShape)).content,
          "text/csv": shapeOf(z.string()),
        },
      },
      ...readProblems,
    },
    streams: true,
    async handle({ query }, caller, signal) {
      const { format = "json", ...asked } = checkPeriod(query);
      const walk = walkOf(asked);
      const request = { ...walk, also: allOf([walk.also ?? allOf([]), recordedUpTo(deps.now())]) };
      const tree = await deps.log.checkpoint("latest", signal);
      const pages = await begun(seenPages(deps, request, caller, signal));
      const lines = format === "csv" ? csvOf(pages) : jsonOf(pages);
      const body = Readable.from(inPieces(lines), { objectMode: false });
      const fileName = `audit-logs.${format}`;
      return { body, fileName, treeSize: tree?.size, ...(format === "csv" ? { type: csvType } : {}) };
    },
  });

async function* seenPages(
  deps: QueryDeps,
  request: WalkRequest,
  caller: Caller,
  signal: AbortSignal,
): AsyncGenerator<Seen> {
  const access = permit(deps, caller, "ExportRecords");
  const requireRights = lasting(deps, caller, "ExportRecords");
  await requireOn(deps, access, "exports");
  await deps.guard.watch.act(caller, { type: "records.exported", id: access.method, detail: {} }, signal);
  for await (const { records } of walkRecords(deps, request, access, signal)) {
    const { seen } = await withSeenTree(
      deps,
      signal,
      async () => records,
      (views) => views,
    );
    requireRights();
    yield { records, seen };
  }
}

/** With the first page read: what is wrong with the question is said before the answer begins. */
async function begun<Page>(pages: AsyncGenerator<Page>): Promise<AsyncGenerator<Page>> {
  const first = await pages.next();
  return (async function* () {
    try {
      if (first.done !== true) yield first.value;
      yield* pages;
    } finally {
      await pages.return(undefined);
    }
  })();
}

async function* inPieces(texts: AsyncGenerator<string>): AsyncGenerator<Buffer> {
  for await (const text of texts) yield* piecesOf(text);
}

async function* csvOf(pages: AsyncGenerator<Seen>): AsyncGenerator<string> {
  yield csvLine([...csvColumns, "payload", "metadata"]);
  for await (const { records, seen } of pages)
    yield records.map((record) => csvLine(csvCells(record, seen))).join("");
}

async function* jsonOf(pages: AsyncGenerator<Seen>): AsyncGenerator<string> {
  let before = "[";
  for await (const { records, seen } of pages) {
    for (const record of records) {
      yield `${before}${auditLogText(record, seen)}`;
      before = ",\n";
    }
  }
  yield before === "[" ? "[]\n" : "]\n";
}
