/** What Node refuses before there is a request, told as a problem on the connection itself, which then ends. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { problemOfConnection, problemType } from "./problem.ts";

/** An answer that has begun is cut; nothing is written into it. */
const hasBegun = (socket: Socket): boolean =>
  (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true;

export function refuseConnection(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.writable && !hasBegun(socket)) {
    const problem = problemOfConnection(error);
    const body = JSON.stringify(problem);
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      "connection: close",
      "cache-control: no-store",
      `content-type: ${problemType}; charset=utf-8`,
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}
