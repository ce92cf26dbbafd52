/** Ends connections whose other end is gone without a word: kafkajs gives up their requests one by one, but sends the next ones there too. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

type Limits = { readonly silenceMsMax: number; readonly lookMs: number };

/** Longer than any answer may take: joining a group waits 30 s for its other members, and kafkajs 5 s more. */
const limitsDefault: Limits = { silenceMsMax: 40_000, lookMs: 1_000 };

/** Nobody has to hear anything who sends nothing. */
export function endWhenSilent(socket: Socket, { silenceMsMax, lookMs } = limitsDefault): void {
  let written = 0;
  let silentFromMs: number | undefined;
  const look = (): void => {
    if (socket.bytesWritten === written) return;
    silentFromMs ??= performance.now();
    if (performance.now() - silentFromMs > silenceMsMax)
      socket.destroy(new Error("the broker answers nothing"));
  };
  const timer = setInterval(look, lookMs).unref();
  socket
    .on("data", () => {
      [written, silentFromMs] = [socket.bytesWritten, undefined];
    })
    .once("close", () => clearInterval(timer));
}

/** kafkajs gives up an attempt to connect and ends its socket, which a peer that never shakes hands leaves open for ever. */
export function endUnlessOpen(socket: Socket, connectMsMax: number): void {
  const opens = socket instanceof TLSSocket ? "secureConnect" : "connect";
  const timer = setTimeout(() => socket.destroy(), connectMsMax).unref();
  for (const over of [opens, "close"]) socket.once(over, () => clearTimeout(timer));
}
