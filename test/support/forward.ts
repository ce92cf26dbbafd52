/** Carries connections between a port and a socket file. Files are the same in every network namespace, ports are not: a forwarder on each side is a door. Run by itself it forwards the pairs that it is given until its standard input ends. */
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { pipeline } from "node:stream";

/** A port of the loopback, or the path of a socket file. */
type Place = { readonly port: number; readonly host: "127.0.0.1" } | { readonly path: string };
export type Pair = { readonly from: Place; readonly to: Place };

export async function forward({ from, to }: Pair): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(to);
    pipeline(near, far, near, () => undefined);
  });
  await once(server.listen(from), "listening");
  return server;
}

if (import.meta.main) {
  for (const pair of JSON.parse(process.argv[2] ?? "[]") as readonly Pair[]) await forward(pair);
  process.stdin.resume().once("end", () => process.exit());
  process.stdout.write("open\n");
}
