/** One way in for every call: deadline, cancellation, errors. A handler is a function of request, caller and signal. */
import {
  create,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { handleUnaryCall, ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Caller } from "../../core/caller.ts";
import { LastroError } from "../../core/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Guard } from "../../query/deps.ts";
import { admit } from "../../query/permit.ts";
import { callerOf } from "./authenticated.ts";
import { grpcStatus } from "./errors.ts";
import type { Decoded } from "./service-definition.ts";

export type Handler<M extends DescMethod> = (
  request: MessageShape<M["input"]>,
  caller: Caller,
  signal: AbortSignal,
) => Promise<MessageInitShape<M["output"]>>;

export type Handlers<S extends DescService> = {
  readonly [Name in keyof S["method"]]: Handler<S["method"][Name]>;
};

export type UnaryOptions = {
  readonly now: Clock;
  readonly log: Log;
  /** No call takes longer, whatever its client allows. */
  readonly deadlineMsMax: number;
  readonly guard: Guard;
};

type AnyHandler = (request: never, caller: Caller, signal: AbortSignal) => Promise<unknown>;

export function implementation<S extends DescService>(
  service: S,
  handlers: Handlers<S>,
  options: UnaryOptions,
): UntypedServiceImplementation {
  const byName: Readonly<Record<string, AnyHandler>> = handlers;
  return Object.fromEntries(
    service.methods.map((method) => {
      const handler = byName[method.localName];
      if (handler === undefined) throw new LastroError("INTERNAL", `no handler for ${method.name}`);
      return [method.localName, unary(method, handler, options)];
    }),
  );
}

/** A call that is cut ends this part of its time earlier, so that its caller still hears why. */
const answerShare = 0.05;
const answerMsMax = 50;
const untilAnswer = (leftMs: number): number => leftMs - Math.min(leftMs * answerShare, answerMsMax);

const tooLate = (): LastroError =>
  new LastroError("DEADLINE_EXCEEDED", "the answer was not ready in time; ask for less or allow more time");

const isLate = (error: unknown): boolean =>
  error instanceof LastroError && error.code === "DEADLINE_EXCEEDED";

function unary(
  method: DescMethod,
  handler: AnyHandler,
  options: UnaryOptions,
): handleUnaryCall<Decoded, unknown> {
  return (call, callback) => {
    const abort = new AbortController();
    const deadline = call.getDeadline();
    const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - options.now();
    let answered = false;
    let late: LastroError | undefined;
    const finish = (error: unknown, message?: unknown): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      if (message !== undefined) callback(null, message);
      else {
        callback(grpcStatus(error));
        // What still runs for this call has nobody to answer to.
        abort.abort(error);
      }
    };
    // A handler may say what it waited for; one that overlooks its signal does not keep its caller waiting.
    const timer = setTimeout(
      () => {
        late = tooLate();
        abort.abort(late);
        setImmediate(() => finish(late));
      },
      Math.max(0, Math.min(untilAnswer(leftMs), options.deadlineMsMax)),
    );
    // Emitted for every call when its stream closes.
    call.on("cancelled", () => {
      if (!answered) finish(tooLate());
    });
    answer(method, handler, call, abort.signal, options.guard).then(
      (message) => finish(undefined, message),
      (error: unknown) => {
        if (!(error instanceof LastroError) && !abort.signal.aborted) {
          options.log.error(
            "rpc_failed",
            `${method.name} failed unexpectedly`,
            { "rpc.method": method.name },
            error,
          );
        }
        finish(late === undefined || isLate(error) ? error : late);
      },
    );
  };
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
    if ("malformed" in request) {
      throw new LastroError("INVALID_ARGUMENT", `the request is no ${method.input.typeName} message`);
    }
    return create(method.output, (await handler(request.message as never, caller, signal)) as never);
  } finally {
    leave();
  }
}
