/** What calls of every form have in common: a request that may not decode, and an end in time that its client hears of. */
import type { DescMethod } from "@bufbuild/protobuf";
import type { Deadline } from "@grpc/grpc-js";
import { LastroError } from "../../core/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { Decoded } from "./service-definition.ts";

export type CallOptions = {
  readonly now: Clock;
  readonly log: Log;
};

/** A call that is cut ends this part of its time earlier, so that its caller still hears why. */
const answerShare = 0.05;
const answerMsMax = 50;

/** Infinite where the client set no deadline. */
export function msUntilAnswer(deadline: Deadline, now: Clock): number {
  const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - now();
  return Math.max(0, leftMs - answerMs(leftMs));
}

/** Of so much time, what an answer needs to leave. */
export const answerMs = (ms: number): number => Math.min(ms * answerShare, answerMsMax);

export const tooLate = (): LastroError =>
  new LastroError("DEADLINE_EXCEEDED", "the answer was not ready in time; ask for less or allow more time");

export const shuttingDown = (): LastroError =>
  new LastroError("SHUTTING_DOWN", "the service ends; go on at another instance, or here when it is back");

export function requestOf(method: DescMethod, request: Decoded): never {
  if ("malformed" in request)
    throw new LastroError("INVALID_ARGUMENT", `the request is no ${method.input.typeName} message`);
  return request.message as never;
}

/** What nobody foresaw. */
export function logUnexpected(log: Log, method: DescMethod, error: unknown): void {
  if (error instanceof LastroError) return;
  const labels = { "rpc.method": method.name };
  log.error("rpc_failed", `${method.name} failed unexpectedly`, labels, error);
}
