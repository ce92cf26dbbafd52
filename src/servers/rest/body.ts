/** The body of a request. Nothing of it is taken before it is asked for, which is when it is known who sends it and that they may. */
import { on } from "node:events";
import type { IncomingMessage } from "node:http";
import { boundedBody } from "../../lib/bounded-body.ts";
import { Refused } from "./problem.ts";

export async function bodyOf(
  request: IncomingMessage,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (Number(request.headers["content-length"]) > bytesMax) throw new Refused("BODY_TOO_LARGE");
  return boundedBody(arriving(request, signal), bytesMax).catch((error: unknown) => {
    throw error instanceof RangeError ? new Refused("BODY_TOO_LARGE") : error;
  });
}

/** Left early, it leaves the request alone: what else comes is taken off the connection and thrown away, so that its client hears the answer. */
async function* arriving(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const [piece] of on(request, "data", { signal, close: ["end"] })) yield piece;
  } catch {
    // At the deadline, or its client has gone.
    throw new Refused("BODY_LATE");
  }
}
