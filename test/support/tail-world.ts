/** A logged world with a server whose tails are followed and counted. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, Client, ClientReadableStream } from "@grpc/grpc-js";
import { anyone, type Caller } from "../../src/core/caller.ts";
import {
  HistoryService,
  type TailRecordsRequestSchema,
  type TailRecordsResponse,
} from "../../src/gen/lastro/v1/history_pb.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { QueryDeps } from "../../src/query/deps.ts";
import { publishedLog } from "../../src/query/published-log.ts";
import { openTail, type Tail } from "../../src/query/tail-records.ts";
import { callStream, connect, failureOf, noOperations, serve, type TestServer } from "./grpc-client.ts";
import type { EventSpec } from "./history-world.ts";
import { type LoggedWorld, openLoggedWorld, ridsOf } from "./logged-world.ts";
import { until } from "./until.ts";

export const heartbeatMs = 200;
const stallMs = 300;
export const tailsMax = 3;

type Request = MessageInitShape<typeof TailRecordsRequestSchema>;
export type TailWorld = LoggedWorld & {
  /** Calls made of the store. */
  readonly asked: Record<"checkpoint" | "byRids", number>;
  readonly server: TestServer;
  /** Tails that no server has ended. */
  running(): number;
  /** Another server of the same tails. `now`: by which tokens end. */
  start(query: QueryDeps, caller?: () => Caller, now?: Clock): Promise<TestServer>;
  tail(request: Request, of?: Client, options?: CallOptions): ClientReadableStream<TailRecordsResponse>;
  reading(stream: ClientReadableStream<TailRecordsResponse>): Reading;
};

/** A tail that is read for as long as it goes on. */
type Reading = {
  readonly answers: readonly TailRecordsResponse[];
  readonly ended: ReturnType<typeof failureOf>;
  rids(): readonly string[];
  /** The last `next_index`. */
  last(): number;
  stop(): Promise<void>;
};

export const event = (n: number, more: object = {}): EventSpec => ({
  payload: { public_id: `a-${n}`, n, ...more },
});
export const events = (count: number, from = 0): readonly EventSpec[] =>
  Array.from({ length: count }, (_, n) => event(from + n));
export const at = (index: number) => ({ case: "index", value: BigInt(index) }) as const;

function counting({ store, deps }: LoggedWorld, asked: TailWorld["asked"]): QueryDeps {
  const { history } = deps;
  return {
    ...deps,
    history: {
      ...history,
      byRids(...args) {
        asked.byRids += 1;
        return history.byRids(...args);
      },
    },
    log: publishedLog({
      log: {
        ...store.log,
        checkpoint(...args) {
          asked.checkpoint += 1;
          return store.log.checkpoint(...args);
        },
      },
      now: () => performance.now(),
    }),
  };
}

export async function openTailWorld(): Promise<TailWorld> {
  const world = await openLoggedWorld();
  const asked = { checkpoint: 0, byRids: 0 };
  const deps = counting(world, asked);
  let running = 0;

  function start(
    query: QueryDeps,
    caller: () => Caller = () => anyone,
    now: Clock = Date.now,
  ): Promise<TestServer> {
    const open = openTail(query, { tailsMax, heartbeatMs }, () => performance.now());
    const counted: Tail = async function* (...args) {
      running += 1;
      try {
        yield* open(...args);
      } finally {
        running -= 1;
      }
    };
    const options = { now, limits: { streamStallMsMax: stallMs }, authenticate: async () => caller() };
    return serve(query, noOperations, options, { tail: counted });
  }

  function reading(stream: ClientReadableStream<TailRecordsResponse>): Reading {
    const answers: TailRecordsResponse[] = [];
    stream.on("data", (answer: TailRecordsResponse) => answers.push(answer));
    const ended = failureOf(new Promise((_, reject) => stream.on("error", reject)));
    ended.catch(() => undefined);
    return {
      answers,
      ended,
      rids: () => answers.flatMap(({ records }) => ridsOf(records)),
      async stop() {
        stream.cancel();
        await ended;
        await until("the server has ended it", () => running === 0);
      },
      last: () => Number(answers.at(-1)?.nextIndex ?? -1),
    };
  }

  const server = await start(deps);
  const client = connect(server.address);
  return {
    ...world,
    deps,
    asked,
    server,
    running: () => running,
    start,
    tail: (request, of = client, options = {}) =>
      callStream(of, HistoryService, "tailRecords", request, options),
    reading,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}
