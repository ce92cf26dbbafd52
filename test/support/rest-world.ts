/** The REST server over a small world: an account, a report, failed logins from one address and the login behind them. */
import { collectInto } from "./collecting.ts";
import { eventText, type HistoryWorld, openHistoryWorld } from "./history-world.ts";
import { json, serveRest, type TestRest } from "./rest-client.ts";

export type RestWorld = AsyncDisposable & {
  readonly world: HistoryWorld;
  readonly rest: TestRest;
  /** `event_type resource_id` of the records that a path lists. */
  found(path: string): Promise<string[]>;
};

export async function openRestWorld(): Promise<RestWorld> {
  const world = await openHistoryWorld();
  const eve = { user_id: "eve", user_ip: "203.0.113.9" };
  await world.publish(
    { type: "account.created", payload: { public_id: "a-1", total: 1 }, timestamp: "2024-06-20T10:00:00Z" },
    { type: "account.updated", text: eventText({ payload: { public_id: "a-1" } }).replace('"public_id"', '"total":9007199254740993,"public_id"') },
    { type: "report.exported", payload: { id: 7 }, producer: "billing", timestamp: "2024-06-21T10:00:00Z", metadata: { status: "PENDING" } },
    ...Array.from({ length: 5 }, (_, i) => ({
      type: "auth.login_failed", payload: { id: i }, timestamp: `2024-06-22T10:00:0${i}Z`, metadata: eve,
    })),
    { type: "auth.login", payload: { id: 9 }, timestamp: "2024-06-22T10:01:00Z", metadata: { ...eve, user_ip: "203.0.113.10" } },
    { type: "auth.login", payload: { id: 8 }, timestamp: "2024-06-22T10:02:00Z", metadata: { user_id: "bob", status: "FAILURE" } },
  ); // biome-ignore format: an event a line
  const rest = await serveRest({ query: world.deps, collect: collectInto(world) });
  return {
    world,
    rest,
    found: async (path) =>
      (await json(`${rest.url}${path}`)).data.map(
        (log: { readonly event_type: string; readonly resource_id: string }) =>
          `${log.event_type} ${log.resource_id}`,
      ),
    async [Symbol.asyncDispose]() {
      await rest[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
