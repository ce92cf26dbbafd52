import { once } from "node:events";
import type { StatusObject } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { collectInto } from "../support/collecting.ts";
import { connect, serve } from "../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { ask, serveRest } from "../support/rest-client.ts";

let world: HistoryWorld;
beforeAll(async () => {
  world = await openHistoryWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test.each([
  [undefined, null],
  [0, "0"],
  [1_001, "2"],
])(
  "when all of the last %j ms and before may be missing, answers of both servers say %j",
  async (lagMs, said) => {
    const storeLagMs = (): number | undefined => lagMs;
    await using grpc = await serve(world.deps, undefined, { storeLagMs });
    using client = connect(grpc.address);
    const call = client.makeUnaryRequest(
      "/lastro.v1.HistoryService/SearchRecords",
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.alloc(0),
      () => undefined,
    );
    const [{ metadata }] = (await once(call, "status")) as [StatusObject];
    expect(metadata.get("x-audit-lag")).toEqual(said === null ? [] : [said]);

    await using rest = await serveRest({ query: world.deps, collect: collectInto(world) }, { storeLagMs });
    const { headers } = await ask(`${rest.url}/audit-logs`);
    expect(headers.get("x-audit-lag")).toBe(said);
  },
);
