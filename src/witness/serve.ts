/** The witness as an HTTP server: one call, `POST /add-checkpoint`. It answers only what it has made durable. */
import fastify from "fastify";
import { parseAddCheckpoint } from "../core/add-checkpoint.ts";
import type { Checkpoint } from "../core/checkpoint.ts";
import { LastroError } from "../core/errors.ts";
import { cosignatureBytes, cosignedMessage, signatureLine, type VerifierKey } from "../core/signed-note.ts";
import { type HostPort, hostPortText } from "../lib/env-values.ts";
import type { Clock } from "../ports/clock.ts";
import type { SeenTree, WitnessMemory } from "../ports/witness.ts";
import { judgeCheckpoint, type WitnessRules } from "./judge.ts";

export type WitnessOptions = WitnessRules & {
  readonly address: HostPort;
  /** Its own key, of type cosignature/v1. */
  readonly key: VerifierKey;
  readonly sign: (message: Uint8Array) => Uint8Array;
  readonly memory: WitnessMemory;
  readonly now: Clock;
  /** Told between remembering a tree and answering; a test may end the process there. */
  readonly reached?: (() => void) | undefined;
  /** Given a signed note of a log that has signed another tree of the same size: proof of its misbehaviour. */
  readonly onFork?: ((note: string) => void) | undefined;
};

const bodyBytesMax = 64 * 1024;
const requestTimeoutMs = 10_000;
/** So often Node looks for requests that take longer; by itself every 30 s. */
const looksMs = 1_000;
/** One more is not taken. */
const connectionsMax = 1_000;
/** Another process on the same memory may come between; then the request is judged again. */
const attemptsMax = 5;

type Answer = { readonly status: number; readonly type: string; readonly body: string };
const plain = "text/plain; charset=utf-8";

export async function serveWitness(
  options: WitnessOptions,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: true,
    http: { connectionsCheckingInterval: looksMs },
  });
  server.server.maxConnections = connectionsMax;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  server.post("/add-checkpoint", (request, reply) => {
    const { status, type, body } = answerTo(options, typeof request.body === "string" ? request.body : "");
    return reply.code(status).type(type).send(body);
  });
  const url = await server.listen({ ...options.address }).catch((cause: unknown) => {
    throw new LastroError(
      "CONFIG_INVALID",
      `the witness cannot listen on ${hostPortText(options.address)}; free it or take another`,
      {
        cause,
      },
    );
  });
  return { url, [Symbol.asyncDispose]: () => server.close() };
}

function answerTo(options: WitnessOptions, body: string): Answer {
  const request = parseAddCheckpoint(body);
  if (request === undefined) return { status: 400, type: plain, body: "this is no add-checkpoint request\n" };
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    let seen: SeenTree | undefined;
    const judgement = judgeCheckpoint(options, request, (origin) => {
      seen = options.memory.seen(origin);
      return seen;
    });
    if (judgement.kind === "refuse") {
      if (judgement.status !== 409)
        return { status: judgement.status, type: plain, body: `${judgement.why}\n` };
      if (judgement.isFork) options.onFork?.(request.checkpoint);
      return { status: 409, type: "text/x.tlog.size", body: `${judgement.size}\n` };
    }
    const { origin, size, root }: Checkpoint = judgement.checkpoint;
    if (!options.memory.advance(origin, seen, { size, root })) continue;
    options.reached?.();
    return { status: 200, type: plain, body: `${cosign(options, judgement.text)}\n` };
  }
  return { status: 503, type: plain, body: "others write to this witness's memory; try again\n" };
}

function cosign({ key, sign, now }: WitnessOptions, text: string): string {
  const timestampS = Math.floor(now() / 1_000);
  const bytes = cosignatureBytes(timestampS, sign(cosignedMessage(timestampS, text)));
  return signatureLine({ name: key.name, id: key.id, bytes });
}
