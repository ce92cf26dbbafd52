/** A plain gRPC client over the generated descriptors: what any internal service would write. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { DemoFailure, exitCodes } from "./failure.ts";

const callMsMax = 20_000;
/** A page of whole records may be larger than the 4 MiB that clients take by default. */
const answerBytesMax = 16 * 1024 * 1024;

export type Ask = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
) => Promise<MessageShape<O>>;

export type LastroClient = Disposable & { readonly ask: Ask };

/** `now` is the machine's clock, against which gRPC holds deadlines. */
export function connectLastro(address: string, now: () => number): LastroClient {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": answerBytesMax,
  });
  const ask: Ask = (method, request) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, request),
        { deadline: now() + callMsMax },
        (error, answer) => {
          if (error !== null) reject(failureOf(error, address, method.name));
          else if (answer !== undefined) resolve(answer);
        },
      );
    });
  return { ask, [Symbol.dispose]: () => client.close() };
}

function failureOf(error: ServiceError, address: string, method: string): DemoFailure {
  if (error.code === status.UNAVAILABLE && error.metadata.get("grpc-status-details-bin").length === 0)
    return new DemoFailure(
      exitCodes.away,
      `Nothing answers gRPC at ${address}: run \`npm start\` first, in another terminal, or set LASTRO_GRPC_ADDRESS`,
      error,
    );
  return new DemoFailure(
    exitCodes.failed,
    `${method} failed: ${status[error.code]}: ${error.details}`,
    error,
  );
}
