/** The questions of `reads` over REST, and a client that takes the bytes of the answers. */
import { Agent, get } from "node:http";
import { buffer } from "node:stream/consumers";
import type { ReadsStore } from "./reads-store.ts";

const base = "/api/v1";
const queryOf = (parameters: Readonly<Record<string, string>>): string =>
  new URLSearchParams(parameters).toString();

/** URLs, by the name of the call that asks the same over gRPC. */
export const restUrls = ({ rids, entities, filters }: ReadsStore) => ({
  GetRecord: rids.map((rid) => `${base}/audit-logs/${rid}`),
  GetHistory: entities.map(
    ({ namespace, entityType, entityId }) =>
      `${base}/entities/${[namespace, entityType, entityId].map(encodeURIComponent).join("/")}/history?limit=10`,
  ),
  SearchRecords: filters.map(
    (filter) => `${base}/audit-logs?${queryOf({ filter, sort_by: "recorded_at", limit: "50" })}`,
  ),
});

export type RestClient = { ask(url: string): Promise<Buffer>; close(): void };

/** Connections are kept, as many as are used at once. */
export function openRestClient(origin: string): RestClient {
  const agent = new Agent({ keepAlive: true });
  return {
    ask: (url) =>
      new Promise((resolve, reject) => {
        get(`${origin}${url}`, { agent }, (answer) => {
          buffer(answer).then(
            (bytes) =>
              answer.statusCode === 200 ? resolve(bytes) : reject(new Error(`${url}: ${answer.statusCode}`)),
            reject,
          );
        }).on("error", reject);
      }),
    close: () => agent.destroy(),
  };
}
