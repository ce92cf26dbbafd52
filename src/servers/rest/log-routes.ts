/** Ownerships and the transparency log: the same messages as gRPC gives, as JSON, by the same handlers. */
import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { LastroError } from "../../core/errors.ts";
import { OwnershipService } from "../../gen/lastro/v1/ownership_pb.ts";
import { CheckpointName, TransparencyService } from "../../gen/lastro/v1/transparency_pb.ts";
import type { Caller, QueryDeps } from "../../query/deps.ts";
import { pageSizeOf } from "../../query/page.ts";
import { listOwnedRecords } from "../../query/search-records.ts";
import { withSeenTree } from "../../query/seen-tree.ts";
import { ownershipHandlers } from "../grpc/ownership-service.ts";
import { transparencyHandlers } from "../grpc/transparency-service.ts";
import type { Handlers } from "../grpc/unary.ts";
import { auditLogPage, readProblems } from "./answers.ts";
import { auditLogList, withRaw } from "./audit-log.ts";
import { messageShape, messageText } from "./message-json.ts";
import { type Answer, jsonAnswer, type Route, route } from "./route.ts";
import { fromOne, oneOf, paging, recordId, sourcePartition, tenant, text, whole } from "./words.ts";

const answersOf = (method: DescMethod) => ({
  200: jsonAnswer(method.name, messageShape(method.output)),
  ...readProblems,
});

/** Asks as a gRPC call would. */
const asking =
  <S extends DescService>(service: S, handlers: Handlers<S>) =>
  async <Name extends keyof S["method"] & string>(
    name: Name,
    request: MessageInitShape<S["method"][Name]["input"]>,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Answer> => {
    const method = service.method[name] as S["method"][Name];
    const message = create(method.input, request as never) as MessageShape<S["method"][Name]["input"]>;
    const answer = await handlers[name](message, caller, signal);
    const { treeSize } = answer as { readonly treeSize?: bigint };
    return {
      body: messageText(method.output, answer as never),
      treeSize: treeSize === undefined ? undefined : Number(treeSize),
    };
  };

const checkpoints = { latest: CheckpointName.LATEST, witnessed: CheckpointName.WITNESSED } as const;
const checkpoint = { checkpoint: oneOf("latest", "witnessed").optional().describe("latest by default") };
const leaf = { id: recordId.optional().describe("Record id; or index"), index: whole().optional() };

function leafOf({ id, index }: { readonly id?: string | undefined; readonly index?: number | undefined }) {
  if ((id === undefined) === (index === undefined))
    throw new LastroError("INVALID_ARGUMENT", "either id or index must be given", {
      field: id === undefined ? "id" : "index",
    });
  return id === undefined
    ? ({ case: "index", value: BigInt(index ?? 0) } as const)
    : ({ case: "rid", value: id } as const);
}
const sizeOf = (size: number | undefined) => (size === undefined ? {} : { treeSize: BigInt(size) });

export function logRoutes(deps: QueryDeps): readonly Route[] {
  const ask = asking(TransparencyService, transparencyHandlers(deps));
  const { method } = TransparencyService;
  const common = { method: "GET", tag: "transparency log", params: {} } as const;
  return [
    route({
      ...common,
      url: "/log/checkpoint",
      name: "getCheckpoint",
      asks: "GetCheckpoint",
      summary: "The signed checkpoint",
      query: checkpoint,
      answers: answersOf(method.getCheckpoint),
      handle: ({ query }, caller, signal) =>
        ask("getCheckpoint", { name: checkpoints[query.checkpoint ?? "latest"] }, caller, signal),
    }),
    route({
      ...common,
      url: "/log/inclusion-proof",
      name: "getInclusionProof",
      asks: "GetInclusionProof",
      summary: "That a record is in the log",
      query: { ...leaf, tree_size: fromOne.optional(), ...checkpoint },
      answers: answersOf(method.getInclusionProof),
      handle: async ({ query }, caller, signal) =>
        ask(
          "getInclusionProof",
          {
            by: leafOf(query),
            ...sizeOf(query.tree_size),
            checkpoint: checkpoints[query.checkpoint ?? "latest"],
          },
          caller,
          signal,
        ),
    }),
    route({
      ...common,
      url: "/log/consistency-proof",
      name: "getConsistencyProof",
      asks: "GetConsistencyProof",
      summary: "That a tree is a prefix of a later one",
      query: { old_size: whole(), tree_size: whole().optional() },
      answers: answersOf(method.getConsistencyProof),
      handle: ({ query }, caller, signal) =>
        ask(
          "getConsistencyProof",
          { oldSize: BigInt(query.old_size), ...sizeOf(query.tree_size) },
          caller,
          signal,
        ),
    }),
    route({
      ...common,
      url: "/log/entry",
      name: "getEntry",
      asks: "GetEntry",
      summary: "What lies at an index",
      query: leaf,
      answers: answersOf(method.getEntry),
      handle: async ({ query }, caller, signal) => ask("getEntry", { by: leafOf(query) }, caller, signal),
    }),
    route({
      ...common,
      url: "/log/coverage",
      name: "getCoverage",
      asks: "GetCoverage",
      summary: "The entries that account for a partition's offsets",
      query: {
        src: sourcePartition,
        from_offset: whole().optional(),
        to_offset: whole().optional(),
        ...paging,
      },
      answers: answersOf(method.getCoverage),
      handle: ({ query }, caller, signal) =>
        ask(
          "getCoverage",
          {
            src: query.src,
            fromOffset: BigInt(query.from_offset ?? 0),
            toOffset: BigInt(query.to_offset ?? 0),
            pageSize: pageSizeOf(query.limit ?? 0),
            pageToken: query.page_token ?? "",
          },
          caller,
          signal,
        ),
    }),
  ];
}

export function ownershipRoutes(deps: QueryDeps): readonly Route[] {
  const ask = asking(OwnershipService, ownershipHandlers(deps));
  const { method } = OwnershipService;
  const common = { method: "GET", tag: "ownerships" } as const;
  return [
    route({
      ...common,
      url: "/ownerships",
      name: "listOwnerships",
      asks: "ListOwnerships",
      summary: "Who owns the data that events are about",
      params: {},
      query: { ...tenant, ...paging },
      answers: answersOf(method.listOwnerships),
      handle: ({ query }, caller, signal) =>
        ask(
          "listOwnerships",
          {
            tenant: query.tenant ?? "",
            pageSize: pageSizeOf(query.limit ?? 0),
            pageToken: query.page_token ?? "",
          },
          caller,
          signal,
        ),
    }),
    route({
      ...common,
      url: "/ownerships/:id",
      name: "getOwnership",
      asks: "GetOwnership",
      summary: "One ownership",
      params: { id: text },
      query: tenant,
      answers: answersOf(method.getOwnership),
      handle: ({ params, query }, caller, signal) =>
        ask("getOwnership", { tenant: query.tenant ?? "", ownershipId: params.id }, caller, signal),
    }),
    route({
      ...common,
      url: "/ownerships/:id/audit-logs",
      name: "listOwnedRecords",
      asks: "ListOwnedRecords",
      summary: "The records about an ownership, newest first",
      params: { id: text },
      query: { ...tenant, ...paging },
      answers: { 200: jsonAnswer("A page of records", auditLogPage), ...readProblems },
      async handle({ params, query }, caller, signal) {
        const { limit = 0, page_token: pageToken = "", tenant: of = "" } = query;
        const request = { tenant: of, ownershipId: params.id, pageSize: limit, pageToken };
        const { answer: page, seen } = await withSeenTree(
          deps,
          signal,
          (size) => listOwnedRecords(deps, request, caller, signal, size),
          ({ records }) => records,
        );
        const pagination = {
          limit: pageSizeOf(limit),
          offset: 0,
          next_page_token: page.nextPageToken,
          start_tree_size: page.startTreeSize ?? null,
        };
        const fields = { altered_ids: page.alteredRids, pagination, tree_size: seen.treeSize ?? null };
        return { body: withRaw(fields, { data: auditLogList(page.records, seen) }), treeSize: seen.treeSize };
      },
    }),
  ];
}
