/** How long an answer may take, and its reader: what nobody reads is cut, since it holds places that others need. */
import type { ServerResponse } from "node:http";
import { LastroError } from "../../core/errors.ts";

/** `late` rejects at the deadline, for a route that overlooks its signal. An answer that has begun is cut then. */
export function deadlineOf(
  answer: ServerResponse,
  ms: number,
): { readonly signal: AbortSignal; readonly late: Promise<never> } {
  const abort = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  late.catch(() => undefined);
  const end = (error: LastroError): void => {
    abort.abort(error);
    setImmediate(() => reject(error));
  };
  const timer = setTimeout(() => {
    end(new LastroError("DEADLINE_EXCEEDED", "the answer was not ready in time; ask for less"));
    if (answer.headersSent) cut(answer);
  }, ms);
  // Emitted for every answer; before its end the client has gone.
  answer.once("close", () => {
    clearTimeout(timer);
    if (!answer.writableFinished) end(new LastroError("DEADLINE_EXCEEDED", "the client has gone"));
  });
  return { signal: abort.signal, late };
}

/** One that waits for its turn on the connection gives its place back at once, and the connection ends at its turn. */
function cut(answer: ServerResponse): void {
  answer.once("socket", (socket) => socket.destroy());
  answer.destroy();
}

export const pieceBytes = 65_536;
/** A long text leaves piece by piece, since only what has left whole shows that its reader takes anything. */
export function* piecesOf(text: string): Generator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** So often it is looked at within the time that a reader has. */
const looks = 10;

/** Cuts the connection once nothing of what waits for its reader has left for so long. */
export function cutStalled(answer: ServerResponse, stallMsMax: number): void {
  let [left, stalled] = [0, 0];
  const look = (): void => {
    const { socket } = answer;
    // Before its turn it waits for the reader of another answer, which is looked at, too.
    if (socket === null || socket.writableLength === 0) {
      stalled = 0;
      return;
    }
    const before = left;
    left = socket.bytesWritten - socket.writableLength;
    stalled = left === before ? stalled + 1 : 0;
    if (stalled >= looks) socket.destroy();
  };
  const timer = setInterval(look, stallMsMax / looks);
  answer.once("close", () => clearInterval(timer));
}
