/** Events that are offered are checked at the door, published as they came, and waited for. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { noWatch, type Watch } from "../../src/access/watch.ts";
import { type OfferedEvent, type PublishWait, publishEvents } from "../../src/collect/publish-events.ts";
import { storeWaitersMax, untilAccounted } from "../../src/collect/until-accounted.ts";
import type { Caller, Scope } from "../../src/core/caller.ts";
import { parseCatalogue } from "../../src/core/catalogue.ts";
import { LastroError } from "../../src/core/errors.ts";
import type { Rid } from "../../src/core/ids.ts";
import type { OutcomeRow } from "../../src/core/outcome.ts";
import { selfProducer } from "../../src/core/parse-options.ts";
import { grant, person } from "../support/callers.ts";
import { type Collecting, collectInto } from "../support/collecting.ts";
import { anna, eventText, type HistoryWorld, openHistoryWorld, worldSrc } from "../support/history-world.ts";

let world: HistoryWorld;
let deps: Collecting;
beforeEach(async () => {
  world = await openHistoryWorld();
  deps = collectInto(world);
});
afterEach(async () => world[Symbol.asyncDispose]());

let n = 0;
/** Where the clock of a new world stands. */
const worldBegins = Date.parse("2024-06-22T12:00:00Z");
/** Each another event: without an id of its own the same again would be its duplicate. */
const another = (): OfferedEvent => offered(eventText({ payload: { public_id: "a-1", n: n++ } }));

const signal = new AbortController().signal;
const offered = (text: string, headers: OfferedEvent["headers"] = {}): OfferedEvent => ({
  value: Buffer.from(text),
  headers,
});
const publish = (events: readonly OfferedEvent[], wait: PublishWait = "acknowledged", until = signal) =>
  publishEvents(deps, events, wait, (i) => `events[${i}]`, anna, until);
async function refusalOf(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return error instanceof LastroError ? `${error.code} ${error.field}: ${error.message}` : String(error);
}

test("R-62 an event is published to the byte, with its headers, under the id of its entity as key, and answered with its rid and event id", async () => {
  const text = `${eventText({ metadata: { event_id: "e-1" } })}  `;
  const [answer] = await publish([offered(text, { traceparent: "t" })]);
  expect(deps.published).toEqual([
    {
      key: "a-1",
      value: Buffer.from(text),
      headers: { traceparent: "t" },
      eventId: expect.anything(),
    },
  ]);
  expect(answer).toEqual({
    rid: `${worldSrc}.0`,
    eventId: { tenant: "default", producerService: "team_service", form: "metadata", parts: ["e-1"] },
    outcome: undefined,
  });
});

test("R-62 an event that intake would reject is refused with its reason and the field, and nothing of the call is published", async () => {
  const good = offered(eventText({}));
  expect(await refusalOf(publish([good, offered(eventText({ metadata: { user_role: "" } }))]))).toMatch(
    /^EVENT_REJECTED events\[1\]\.metadata\.user_role: SCHEMA: /,
  );
  expect(await refusalOf(publish([offered('{"a":1,}'), good]))).toMatch(
    /^EVENT_REJECTED events\[0\]: INVALID_JSON: /,
  );
  const catalogue = parseCatalogue(
    JSON.stringify({
      version: 1,
      events: { "account.*": { schemas: { "1.0": { type: "object", required: ["x"] } } } },
    }),
  );
  if (!catalogue.ok) throw new Error("the catalogue is refused");
  deps = { ...deps, catalogue: catalogue.catalogue };
  expect(await refusalOf(publish([good]))).toMatch(
    /^EVENT_REJECTED events\[0\]\.payload[^:]*: PAYLOAD_SCHEMA: /,
  );
  expect(deps.published).toEqual([]);
});

test("only headers that mean something to intake are taken", async () => {
  const named = (name: string) => publish([{ ...another(), headers: { [name]: "1" } }]);
  for (const name of ["event_id", "traceparent", "tracestate"]) await named(name);
  for (const name of ["audit.dlq.attempt", "__connect.errors.topic", "x", "ce_", "ce_A", ""])
    expect(await refusalOf(named(name))).toMatch(/^INVALID_ARGUMENT events\[0\]\.headers: /);
});

test("R-62 waiting for the store gives the outcome, whatever it is", async () => {
  const rows: OutcomeRow[] = [{ kind: "duplicate", from: 0, to: 1, original: `${worldSrc}.9` as Rid }];
  expect((await publish([another()], "stored"))[0]?.outcome).toBe("stored");
  const late = { history: { byRid: async () => undefined }, operations: { outcomes: async () => rows } };
  deps = { ...deps, ...late };
  expect((await publish([another()], "stored"))[0]?.outcome).toEqual(rows[0]);
});

test("a wait that ends before its outcome says that the event is not lost; too many at once are refused", async () => {
  let looks = 0;
  const never = {
    history: {
      byRid: async () => {
        looks += 1;
        return undefined;
      },
    },
    operations: { outcomes: async () => [] },
  };
  const stop = new AbortController();
  const rid = `${worldSrc}.7` as Rid;
  const waiting = Array.from({ length: storeWaitersMax }, () =>
    refusalOf(untilAccounted(never, rid, stop.signal)),
  );
  expect(await refusalOf(untilAccounted(never, rid, signal))).toMatch(
    /^FAILED_PRECONDITION wait_for: .*published as /,
  );
  stop.abort();
  expect(new Set(await Promise.all(waiting)).size).toBe(1);
  expect((await waiting[0])?.startsWith("DEADLINE_EXCEEDED wait_for: ")).toBe(true);
  const ending = AbortSignal.abort(new LastroError("SHUTTING_DOWN", "the service ends"));
  expect(await refusalOf(untilAccounted(never, rid, ending))).toMatch(
    /^SHUTTING_DOWN wait_for: .*published as .*not lost/,
  );
  expect(looks).toBeGreaterThanOrEqual(storeWaitersMax);
  expect(
    await untilAccounted(
      { ...never, history: deps.history },
      (await publish([another()]))[0]?.rid as Rid,
      signal,
    ),
  ).toBe("stored");
});

describe("R-25 who may publish, and what", () => {
  const bounded = (scope: Partial<Scope>): Caller => person("team", grant("producer", scope));
  const by = (caller: Caller, ...events: readonly OfferedEvent[]) =>
    refusalOf(publishEvents(deps, events, "acknowledged", () => "event", caller, signal));

  test("a caller without the role of a producer publishes nothing", async () => {
    expect(await by(person("reader", grant("reader")), another())).toMatch(/^PERMISSION_DENIED/);
    expect(deps.published).toEqual([]);
  });

  test.each<[string, Partial<Scope>]>([
    ["no bounds", {}],
    ["its tenant alone", { tenants: ["default"] }],
    ["the very name", { producerServices: [selfProducer] }],
  ])(
    "with %s nobody publishes what the service itself would say of its callers, and who tries is told",
    async (_, scope) => {
      const denied: string[] = [];
      const watch: Watch = { ...noWatch, denied: ({ id }, method) => denied.push(`${id} ${method}`) };
      deps = { ...deps, guard: { ...deps.guard, watch } };
      const forged = offered(
        eventText({
          producer: selfProducer,
          type: "personal_data.viewed",
          payload: { id: "GetRecord", records: 1, tenants: ["default"] },
        }),
      );
      expect(await by(bounded(scope), forged, another())).toMatch(
        /^PERMISSION_DENIED event: .*under the name/,
      );
      expect(denied).toEqual(["person:test#team PublishEvents"]);
      expect(deps.published).toEqual([]);
    },
  );

  test.each<[string, Partial<Scope>]>([
    ["another tenant", { tenants: ["other"] }],
    ["another service", { producerServices: ["billing"] }],
    ["another type of entity", { entityTypes: ["invoice"] }],
    ["a time that is over", { toMs: worldBegins }],
    ["a time to come", { fromMs: worldBegins + 1 }],
  ])("a producer for %s does not, and one whose bounds the event keeps does", async (_, scope) => {
    expect(await by(bounded(scope), another())).toMatch(/^PERMISSION_DENIED/);
    expect(deps.published).toEqual([]);
    const own = bounded({
      tenants: ["default"],
      producerServices: ["team_service"],
      entityTypes: ["account"],
      fromMs: worldBegins,
      toMs: worldBegins + 1,
    });
    await publishEvents(deps, [another()], "acknowledged", () => "event", own, signal);
    expect(deps.published).toHaveLength(1);
  });
});
