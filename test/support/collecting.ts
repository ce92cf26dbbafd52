/** What collecting needs, over a world whose store takes at once what is published: real records, no Kafka. */
import type { CollectDeps } from "../../src/collect/publish-events.ts";
import { defaultParseOptions } from "../../src/core/parse-options.ts";
import type { EventToPublish } from "../../src/ports/event-publisher.ts";
import { noOperations } from "./grpc-client.ts";
import type { HistoryWorld } from "./history-world.ts";

export type Collecting = CollectDeps & { readonly published: EventToPublish[] };

export function collectInto(world: HistoryWorld): Collecting {
  const published: EventToPublish[] = [];
  return {
    ...world.deps,
    published,
    parse: defaultParseOptions,
    operations: { ...noOperations, outcomes: async () => [] },
    publisher: {
      async publish(event) {
        published.push(event);
        const headers = Object.entries(event.headers).map(
          ([name, text]) => [name, Buffer.from(text)] as const,
        );
        const [row] = await world.publish({ text: Buffer.from(event.value).toString(), headers });
        if (row === undefined) throw new Error("nothing was stored");
        return row.rid;
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
  };
}
