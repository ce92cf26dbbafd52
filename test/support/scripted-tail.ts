/** A history service whose tails tell what a test says, and end as it says. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerWritableStream, type status } from "@grpc/grpc-js";
import {
  HistoryService,
  type TailRecordsRequest,
  TailRecordsResponseSchema,
} from "../../src/gen/lastro/v1/history_pb.ts";
import { serviceDefinition } from "../../src/servers/grpc/service-definition.ts";

/** What one call is answered, then how it ends; it stays open where no end is given. */
export type TailAnswer = {
  readonly told: readonly MessageInitShape<typeof TailRecordsResponseSchema>[];
  readonly end?: status;
};
type Asked = { readonly from: number | undefined; readonly token: string | undefined };

/** Answers call by call; all that come after as the last. */
export async function scriptedTail(...answers: readonly [TailAnswer, ...TailAnswer[]]) {
  const asked: Asked[] = [];
  const server = new Server();
  server.addService(serviceDefinition(HistoryService), {
    tailRecords(call: ServerWritableStream<{ readonly message: TailRecordsRequest }, unknown>) {
      const { from } = call.request.message;
      asked.push({
        from: from.case === "index" ? Number(from.value) : undefined,
        token: call.metadata.get("authorization")[0]?.toString(),
      });
      const { told, end } = answers[asked.length - 1] ?? answers.at(-1) ?? answers[0];
      for (const one of told) call.write(create(TailRecordsResponseSchema, one));
      if (end !== undefined) call.emit("error", { code: end, details: "as told" });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    asked,
    address: `127.0.0.1:${port}`,
    [Symbol.dispose]: () => server.forceShutdown(),
  };
}
