/** One way in for every call: deadline, cancellation, errors. A handler is a function of request, caller and signal. */
import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Caller } from "../../core/caller.ts";
import { LastroError } from "../../core/errors.ts";
import type { Guard } from "../../query/deps.ts";
import { admit } from "../../query/permit.ts";
import { lagHeader, lagText } from "../store-lag.ts";
import { callerOf } from "./authenticated.ts";
import { type CallOptions, logUnexpected, msUntilAnswer, requestOf, shuttingDown, tooLate } from "./call.ts";
import { grpcStatus } from "./errors.ts";
import type { Decoded } from "./service-definition.ts";
import { type AnyStreamHandler, type StreamHandler, type StreamOptions, stream } from "./stream.ts";

export type Handler<M extends DescMethod> = (
  request: MessageShape<M["input"]>,
  caller: Caller,
  signal: AbortSignal,
) => Promise<MessageInitShape<M["output"]>>;

export type Handlers<S extends DescService> = {
  readonly [Name in keyof S["method"]]: S["method"][Name] extends DescMethodServerStreaming
    ? StreamHandler<S["method"][Name]>
    : Handler<S["method"][Name]>;
};

export type UnaryOptions = CallOptions & {
  /** No call takes longer, whatever its client allows. */
  readonly deadlineMsMax: number;
  readonly guard: Guard;
  /** All that Kafka held so long ago is stored; undefined where that is not known. */
  readonly storeLagMs: () => number | undefined;
  /** Aborted before what still runs is cut, early enough for an answer. */
  readonly cutting: AbortSignal;
};

type AnyHandler = (request: never, caller: Caller, signal: AbortSignal) => Promise<unknown>;

export function implementation<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
  options: UnaryOptions & StreamOptions,
): UntypedServiceImplementation {
  const byName: Readonly<Record<string, AnyHandler | AnyStreamHandler>> = handlers;
  return Object.fromEntries(
    service.methods.map((method) => {
      const handler = byName[method.localName];
      if (handler === undefined) throw new LastroError("INTERNAL", `no handler for ${method.name}`);
      const isStream = method.methodKind === "server_streaming";
      return [
        method.localName,
        isStream
          ? stream(method, handler as AnyStreamHandler, options)
          : unary(method, handler as AnyHandler, options),
      ];
    }),
  );
}

/** A handler that says what it waited for says more. */
const saysOf = (error: unknown, end: LastroError): boolean =>
  error instanceof LastroError && error.code === end.code;

function unary(
  method: DescMethod,
  handler: AnyHandler,
  options: UnaryOptions,
): handleUnaryCall<Decoded, unknown> {
  return (call, callback) => {
    const abort = new AbortController();
    let answered = false;
    let ended: LastroError | undefined;
    const finish = (error: unknown, message?: unknown): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      options.cutting.removeEventListener("abort", cut);
      if (message !== undefined) callback(null, message, trailer(options.storeLagMs()));
      else {
        callback(grpcStatus(error));
        // What still runs for this call has nobody to answer to.
        abort.abort(error);
      }
    };
    // A handler may say what it waited for; one that overlooks its signal does not keep its caller waiting.
    const end = (why: LastroError): void => {
      ended ??= why;
      abort.abort(ended);
      setImmediate(() => finish(ended));
    };
    const cut = (): void => end(shuttingDown());
    options.cutting.addEventListener("abort", cut, { once: true });
    const timer = setTimeout(
      () => end(tooLate()),
      Math.min(msUntilAnswer(call.getDeadline(), options.now), options.deadlineMsMax),
    );
    // Emitted for every call when its stream closes.
    call.on("cancelled", () => {
      if (!answered) finish(tooLate());
    });
    answer(method, handler, call, abort.signal, options.guard).then(
      (message) => finish(undefined, message),
      (error: unknown) => {
        if (!abort.signal.aborted) logUnexpected(options.log, method, error);
        finish(ended === undefined || saysOf(error, ended) ? error : ended);
      },
    );
  };
}

function trailer(lagMs: number | undefined): Metadata {
  const metadata = new Metadata();
  const lag = lagText(lagMs);
  if (lag !== undefined) metadata.set(lagHeader, lag);
  return metadata;
}

async function answer(
  method: DescMethod,
  handler: AnyHandler,
  { request, metadata }: Pick<ServerUnaryCall<Decoded, unknown>, "request" | "metadata">,
  signal: AbortSignal,
  guard: Guard,
) {
  const caller = callerOf(metadata);
  const leave = admit({ guard }, caller, method.name);
  try {
    return create(method.output, (await handler(requestOf(method, request), caller, signal)) as never);
  } finally {
    leave();
  }
}
