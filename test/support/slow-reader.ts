/** A gRPC client that takes nothing from the network until it is told to: grpc-js itself always reads on and keeps what nobody asked for. */
import { once } from "node:events";
import { connect } from "node:http2";
import { type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";

const headBytes = 5;

export type SlowReader = Disposable & {
  /** Reads to the end: messages, and the error's reason and metadata. */
  readAll(): Promise<{
    readonly messages: readonly Message[];
    readonly reason: string | undefined;
    readonly metadata: Readonly<Record<string, string>>;
  }>;
};

export function slowReader(address: string, method: DescMethod, request: Message): SlowReader {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": `/${method.parent.typeName}/${method.name}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.pause();
  const bytes = toBinary(method.input, request);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(bytes.length, 1);
  stream.end(Buffer.concat([head, bytes]));
  let details = "";
  stream.on("trailers", (trailers) => {
    details = String(trailers["grpc-status-details-bin"] ?? "");
  });
  return {
    async readAll() {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.resume();
      await once(stream, "end");
      const infos = fromBinary(StatusSchema, Buffer.from(details, "base64")).details.flatMap(
        (detail) => anyUnpack(detail, ErrorInfoSchema) ?? [],
      );
      return {
        messages: messagesIn(method, Buffer.concat(chunks)),
        reason: infos[0]?.reason,
        metadata: infos[0]?.metadata ?? {},
      };
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

function messagesIn(method: DescMethod, bytes: Buffer): readonly Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + headBytes + bytes.readUInt32BE(at + 1);
    messages.push(fromBinary(method.output, bytes.subarray(at + headBytes, end)));
    at = end;
  }
  return messages;
}
