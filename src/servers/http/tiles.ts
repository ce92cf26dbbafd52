/** The transparency log over HTTP: C2SP tlog-tiles. Shows leaf entries of all tenants to whoever may reach it; whoever reads it verifies it. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { isTransient, LastroError } from "../../core/errors.ts";
import { parseTilePath, type TileRequest } from "../../core/tiles.ts";
import type { Log } from "../../ports/log.ts";
import type { CheckpointName } from "../../ports/log-store.ts";
import type { PublishedLog } from "../../query/published-log.ts";
import { readTile } from "../../query/read-tile.ts";

export type TilesOptions = { readonly published: PublishedLog; readonly log: Log };

/** Requests answered at once; more are sent away. */
const requestsMax = 64;
const deadlineMs = 5_000;
const retryAfterS = "1";
const immutable = "public, max-age=31536000, immutable";
const compress = promisify(gzip);

type Answer = (request: FastifyRequest, reply: FastifyReply, signal: AbortSignal) => Promise<FastifyReply>;

export const tiles: FastifyPluginAsync<TilesOptions> = async (server, { published, log }) => {
  let running = 0;
  const bounded = (answer: Answer) => async (request: FastifyRequest, reply: FastifyReply) => {
    if (running >= requestsMax) return unavailable(reply, "too many requests at once");
    running += 1;
    try {
      return await answer(request, reply, AbortSignal.timeout(deadlineMs));
    } catch (error) {
      return failed(error, request, reply, log);
    } finally {
      running -= 1;
    }
  };
  const checkpoint = (name: CheckpointName) =>
    bounded(async (_request, reply, signal) => {
      const tree = await published.checkpoint(name, signal);
      if (tree === undefined) return missing(reply, "no such checkpoint is published yet");
      return reply.header("cache-control", "no-cache").type("text/plain; charset=utf-8").send(tree.note);
    });
  server.get("/checkpoint", checkpoint("latest"));
  server.get("/checkpoint.witnessed", checkpoint("witnessed"));
  server.get(
    "/tile/*",
    bounded(async (request, reply, signal) => {
      // As it was sent: a path that needs decoding is not the tile's.
      const tile = parseTilePath(request.raw.url?.slice(1) ?? "");
      const bytes = tile && (await readTile(published, tile, signal));
      if (tile === undefined || bytes === undefined)
        return missing(reply, "the published checkpoint covers no such tile");
      reply.header("cache-control", immutable).type("application/octet-stream");
      return reply.send(await encoded(tile, bytes, request, reply));
    }),
  );
};

/** Entries are text that shrinks to a third; hashes do not shrink. */
async function encoded(
  { kind }: TileRequest,
  bytes: Uint8Array,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Uint8Array> {
  if (kind === "tile") return bytes;
  reply.header("vary", "accept-encoding");
  const accepted = (request.headers["accept-encoding"] ?? "").split(",").map((coding) => coding.trim());
  if (!accepted.includes("gzip")) return bytes;
  reply.header("content-encoding", "gzip");
  return compress(bytes);
}

const told = (reply: FastifyReply, code: number, why: string): FastifyReply =>
  reply.code(code).header("cache-control", "no-store").type("text/plain; charset=utf-8").send(`${why}\n`);
const missing = (reply: FastifyReply, why: string): FastifyReply => told(reply, 404, why);
const unavailable = (reply: FastifyReply, why: string): FastifyReply =>
  told(reply.header("retry-after", retryAfterS), 503, why);

function failed(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const isLate = error instanceof LastroError && error.code === "DEADLINE_EXCEEDED";
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  if (isTransient(error) || isLate || isTimeout) return unavailable(reply, "try again");
  const isDamage = error instanceof LastroError && error.code === "LOG_DAMAGED";
  const [code, what] = isDamage
    ? ["log_damaged", error.message]
    : ["tile_failed", "a request for the log failed unexpectedly"];
  log.error(code, what, { "url.path": request.routeOptions.url }, error);
  return told(reply, 500, "the service cannot answer this; its log has the cause");
}
