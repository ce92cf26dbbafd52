import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { anyone } from "../../../src/core/caller.ts";
import { Operations, WaitOperationRequestSchema } from "../../../src/gen/google/longrunning/operations_pb.ts";
import { sleep } from "../../../src/lib/backoff.ts";
import type { QueryDeps } from "../../../src/query/deps.ts";
import type { Exports } from "../../../src/query/exports.ts";
import { longRunningHandlers } from "../../../src/servers/grpc/export-service.ts";
import { call, connect, endedExport, quietExports, serve } from "../../support/grpc-client.ts";
import { openHistoryWorld } from "../../support/history-world.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();

/** An export that runs until it was looked at so often, each time for so long. */
function running(looksMax: number, lookMs = 0) {
  let looks = 0;
  const get: Exports["get"] = async () => {
    looks += 1;
    await sleep(lookMs, signal);
    return looks > looksMax ? endedExport : { ...endedExport, job: { ...endedExport.job, state: "running" } };
  };
  const exports = { ...quietExports, get };
  const { waitOperation } = longRunningHandlers({} as QueryDeps, exports, signal);
  const wait = (
    timeoutMs: number,
  ): Promise<MessageInitShape<typeof Operations.method.waitOperation.output>> =>
    waitOperation(
      create(WaitOperationRequestSchema, {
        name: `operations/${endedExport.name}`,
        timeout: durationFromMs(timeoutMs),
      }),
      anyone,
      signal,
    );
  return { exports, wait, looks: () => looks };
}

test("less than a second is waited as well", async () => {
  expect(await running(1).wait(900)).toMatchObject({ done: true });
});

test("what looks take counts: the state is told when the time is over", async () => {
  const slow = running(Number.POSITIVE_INFINITY, 300);
  expect(await slow.wait(1_000)).toMatchObject({ done: false });
  // 1,000 ms of pauses alone are six looks.
  expect(slow.looks()).toBeLessThan(5);
});

test.each([0, -1_000])("without time to wait (%i ms) the state is told at once", async (ms) => {
  expect(await running(Number.POSITIVE_INFINITY).wait(ms)).toMatchObject({ done: false });
});

test("a server that ends tells at once how far the operation is", async () => {
  await using world = await openHistoryWorld();
  const { exports, looks } = running(Number.POSITIVE_INFINITY);
  const server = await serve(world.deps, undefined, {}, { exports });
  using client = connect(server.address);
  const waiting = call(client, Operations, "waitOperation", { name: `operations/${endedExport.name}` });
  await until("it waits", () => looks() > 0);
  const before = looks();
  // What waits on would be waited for as long as that.
  await server.drain(3_600_000);
  expect(await waiting).toMatchObject({ done: false });
  // To its own end it would be a hundred.
  expect(looks() - before).toBeLessThan(10);
});
