/** One question to Vault's HTTP API: bounded in time, bytes and tries. Nothing of an answer gets into a message but its status. */
import type { IncomingMessage } from "node:http";
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { LastroError } from "../../core/errors.ts";
import { jsonIn } from "../../core/json.ts";
import { backoffMs, sleep } from "../../lib/backoff.ts";
import { boundedBody } from "../../lib/bounded-body.ts";
import { withDeadline } from "../../lib/signals.ts";
import type { Randomness } from "../../ports/clock.ts";

export type VaultServer = {
  readonly address: string;
  readonly namespace: string | undefined;
  /** PEM; undefined: the roots of Node. */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
};
export type Question = {
  readonly method: "GET" | "POST";
  /** Behind `/v1/`. */
  readonly path: string;
  readonly token?: string;
  readonly body?: Readonly<Record<string, string>>;
};
export type Answer = { readonly status: number; readonly json: unknown };
export type Ask = (question: Question, signal: AbortSignal) => Promise<Answer>;

const answerBytesMax = 1024 * 1024;
const triesMax = 5;
const [retryMinMs, retryMaxMs] = [100, 2_000];

/** Throws SECRETS_UNAVAILABLE where no try got an answer that settles it. */
export function vaultAsk(server: VaultServer, random: Randomness): Ask {
  return async (question, signal) => {
    for (let attempt = 1; ; attempt++) {
      const given = await once(server, question, withDeadline(signal, server.timeoutMs)).catch(whyNot);
      if (typeof given === "object" && settles(given.status)) return given;
      signal.throwIfAborted();
      const why = typeof given === "object" ? `answers ${given.status}` : `did not answer (${given})`;
      if (attempt === triesMax)
        throw new LastroError("SECRETS_UNAVAILABLE", `Vault at ${server.address} ${why}`);
      await sleep(backoffMs(attempt, retryMinMs, retryMaxMs, random), signal);
    }
  };
}

/** Sealed, starting, electing, behind what was written just now, too busy: it passes by itself. */
const settles = (status: number): boolean =>
  status < 500 && status !== 412 && status !== 429 && status !== 472 && status !== 473;

function whyNot(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  if (name === "TimeoutError") return "it took too long";
  return typeof code === "string" ? code : "the connection broke";
}

/** Redirects are not followed: the token would go with them. */
async function once(server: VaultServer, question: Question, signal: AbortSignal): Promise<Answer> {
  const url = new URL(`${server.address.replace(/\/+$/, "")}/v1/${question.path}`);
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers = {
    "x-vault-request": "true",
    ...(question.token !== undefined && { "x-vault-token": question.token }),
    ...(server.namespace !== undefined && { "x-vault-namespace": server.namespace }),
    ...(question.body !== undefined && { "content-type": "application/json" }),
  };
  const options = { method: question.method, headers, signal, agent: false } as const;
  const asked =
    url.protocol === "https:"
      ? tlsRequest(url, { ...options, ca: server.ca }, resolve)
      : plainRequest(url, options, resolve);
  asked.once("error", (error) => reject(signal.aborted ? signal.reason : error));
  asked.end(question.body && JSON.stringify(question.body));
  const response = await answered;
  const body = await boundedBody(response, answerBytesMax).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
  return { status: response.statusCode ?? 0, json: jsonIn(body.toString("utf8")) };
}
