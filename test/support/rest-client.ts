/** The REST server over a world, and requests to it over HTTP. */
import { anyone } from "../../src/core/caller.ts";
import type { ObserveRequest } from "../../src/ports/request-observer.ts";
import {
  type RestParts,
  type RestServer,
  type RestServerOptions,
  startRestServer,
} from "../../src/servers/rest/server.ts";
import { silentObserver } from "./intake.ts";

export const unobserved: ObserveRequest = () => ({ within: (work) => work(), end: () => undefined });
export const restLimits: RestServerOptions["limits"] = {
  requestsMax: 64,
  deadlineMsMax: 10_000,
  streamMsMax: 60_000,
  stallMsMax: 10_000,
  bodyBytesMax: 1_048_576,
};
export type TestRest = RestServer & { readonly logged: string[]; readonly url: string };

export async function serveRest(
  parts: RestParts,
  options: Partial<RestServerOptions> = {},
): Promise<TestRest> {
  const logged: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (code: string) => void logged.push(code) };
  const server = await startRestServer(
    {
      address: { host: "127.0.0.1", port: 0 },
      authenticate: async () => anyone,
      storeLagMs: () => undefined,
      observeRequest: unobserved,
      observer: silentObserver,
      now: Date.now,
      log,
      limits: restLimits,
      ...options,
    },
    parts,
  );
  return Object.assign(server, { logged, url: `http://${server.address}/api/v1` });
}

export type Problem = {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
};
export type Told = { readonly status: number; readonly headers: Headers; readonly text: string };

export async function ask(url: string, init: RequestInit = {}): Promise<Told> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into by tests
export async function json(url: string, init: RequestInit = {}): Promise<any> {
  const { status, text } = await ask(url, init);
  if (status >= 300) throw new Error(`${status} ${text}`);
  return JSON.parse(text);
}

/** `status reason field`, of an error. */
export async function refusal(url: string, init: RequestInit = {}): Promise<string> {
  const { status, headers, text } = await ask(url, init);
  if (headers.get("content-type") !== "application/problem+json; charset=utf-8")
    throw new Error(`no problem: ${status} ${text}`);
  const problem = JSON.parse(text) as Problem;
  if (problem.status !== status)
    throw new Error(`the problem says ${problem.status} in an answer of ${status}`);
  return [status, problem.reason, ...(problem.errors ?? []).map(({ field }) => field)].join(" ");
}
