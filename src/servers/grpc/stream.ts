/** Calls that are answered by a stream. A message is asked for once the one before has left the process, so no reader, however slow, makes answers pile up here. */
import { create, type DescMethod, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { handleServerStreamingCall, ServerWritableStream } from "@grpc/grpc-js";
import { LastroError } from "../../core/errors.ts";
import type { Caller, Guard } from "../../query/deps.ts";
import { expired, lasting } from "../../query/lasting.ts";
import { admit } from "../../query/permit.ts";
import { callerOf } from "./authenticated.ts";
import { type CallOptions, logUnexpected, msUntilAnswer, requestOf, shuttingDown, tooLate } from "./call.ts";
import { grpcStatus } from "./errors.ts";
import type { Decoded } from "./service-definition.ts";

/** Gives messages until it is done or its signal ends it. Where they have a `next_index` or `next_offset`, a stream that is cut tells the one of the last message that left. */
export type StreamHandler<M extends DescMethod> = (
  request: MessageShape<M["input"]>,
  caller: Caller,
  signal: AbortSignal,
) => AsyncGenerator<MessageInitShape<M["output"]>, void, undefined>;

export type StreamOptions = CallOptions & {
  /** A reader that takes no message for this long is cut. */
  readonly stallMsMax: number;
  /** Aborted when the server ends. */
  readonly draining: AbortSignal;
  readonly guard: Guard;
};

export type AnyStreamHandler = (
  request: never,
  caller: Caller,
  signal: AbortSignal,
) => AsyncGenerator<unknown, void, undefined>;

/** Timers take no more. */
const timerMsMax = 2 ** 31 - 1;

const tooSlow = (stallMsMax: number): LastroError =>
  new LastroError("READER_TOO_SLOW", `nothing was read for ${stallMsMax} ms; read faster, or ask for less`);

export function stream(
  method: DescMethod,
  handler: AnyStreamHandler,
  options: StreamOptions,
): handleServerStreamingCall<Decoded, unknown> {
  return (call) => {
    const abort = new AbortController();
    const deadline = abortIn(abort, msUntilAnswer(call.getDeadline(), options.now), tooLate);
    const drain = (): void => abort.abort(shuttingDown());
    options.draining.addEventListener("abort", drain, { once: true });
    if (options.draining.aborted) drain();
    call.on("cancelled", () => abort.abort(tooLate()));
    const place: Place = {};
    answers(method, handler, call, abort, options, place)
      .then(
        () => call.end(),
        (error: unknown) => {
          const { aborted, reason } = abort.signal;
          if (!aborted) logUnexpected(options.log, method, error);
          call.emit("error", grpcStatus(aborted ? reason : error, place));
        },
      )
      .finally(() => {
        clearTimeout(deadline);
        options.draining.removeEventListener("abort", drain);
      });
  };
}

const abortIn = (abort: AbortController, ms: number, why: () => LastroError): NodeJS.Timeout | undefined =>
  ms < timerMsMax ? setTimeout(() => abort.abort(why()), Math.max(0, ms)) : undefined;

type Place = { next_index?: string; next_offset?: string };
type Call = ServerWritableStream<Decoded, unknown>;

async function answers(
  method: DescMethod,
  handler: AnyStreamHandler,
  call: Call,
  abort: AbortController,
  { stallMsMax, guard, now }: StreamOptions,
  place: Place,
): Promise<void> {
  const { signal } = abort;
  const caller = callerOf(call.metadata);
  const leave = admit({ guard }, caller, method.name);
  const requireRights = lasting({ guard, now }, caller, method.name);
  const expiry = abortIn(abort, (caller.untilMs ?? Number.POSITIVE_INFINITY) - now(), expired);
  try {
    // Left early, the handler ends, too.
    for await (const given of handler(requestOf(method, call.request), caller, signal)) {
      const message = create(method.output, given as never);
      requireRights();
      await sent(call, message, signal, stallMsMax);
      if ("nextIndex" in message) place.next_index = String(message.nextIndex);
      if ("nextOffset" in message) place.next_offset = String(message.nextOffset);
    }
  } finally {
    clearTimeout(expiry);
    leave();
  }
}

/** Resolves when the message has left for the network, which takes no more than the reader makes room for. */
function sent(call: Call, message: unknown, signal: AbortSignal, stallMsMax: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(stalled);
      signal.removeEventListener("abort", ended);
      end();
    };
    const ended = (): void => settle(() => reject(signal.reason));
    const stalled = setTimeout(() => settle(() => reject(tooSlow(stallMsMax))), stallMsMax);
    if (signal.aborted) return ended();
    signal.addEventListener("abort", ended, { once: true });
    call.write(message, () => settle(resolve));
  });
}
