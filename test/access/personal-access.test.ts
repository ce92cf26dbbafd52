/** Personal access over gRPC, on a real store: two persons, a reason, an end, and two events. */
import { randomBytes } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { type Client, Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  accessMsDefault,
  accessMsMax,
  askedMsMax,
  personalAccesses,
  requestsOfOneMax,
} from "../../src/access/personal-access.ts";
import { noWatch } from "../../src/access/watch.ts";
import type { Caller } from "../../src/core/caller.ts";
import { AccessService } from "../../src/gen/lastro/v1/access_pb.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { BodyState } from "../../src/gen/lastro/v1/record_pb.ts";
import { authenticateAs, grant, person, sayId } from "../support/callers.ts";
import {
  callMessage,
  connect,
  failureOf,
  noOperations,
  serve,
  type TestServer,
} from "../support/grpc-client.ts";
import { type HistoryWorld, openHistoryWorld } from "../support/history-world.ts";
import { unguarded } from "../support/unguarded.ts";

const asker = person("asker", grant("auditor", { tenants: ["a"], personal: false }));
const otherAsker = person("other", grant("auditor", { personal: false }), grant("dpo"));
const approver = person("approver", grant("dpo", { personal: false }));
const robot: Caller = { ...person("robot", grant("auditor"), grant("dpo")), kind: "service" };
const signal = new AbortController().signal;

let world: HistoryWorld;
let server: TestServer;
let client: Client & Disposable;
let rids: readonly string[];
let nowMs = Date.UTC(2026, 10, 21);
const told: string[] = [];
const watch = {
  ...noWatch,
  act: async (caller: Caller, act: { readonly type: string; readonly id: string }) => {
    told.push(`${caller.id} ${act.type} ${act.id}`);
  },
};
const options = () => ({ state: world.store.state, watch, now: () => nowMs, random: randomBytes });

beforeAll(async () => {
  world = await openHistoryWorld();
  const rows = await world.publish({ metadata: { tenant_id: "a" } }, { metadata: { tenant_id: "b" } });
  rids = rows.map(({ rid }) => rid);
  const guard = { ...unguarded, personal: personalAccesses(options()) };
  server = await serve({ ...world.deps, guard }, noOperations, {
    authenticate: authenticateAs(asker, otherAsker, approver, robot),
  });
  client = connect(server.address);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const { askPersonalAccess, approvePersonalAccess, listPersonalAccess } = AccessService.method;
const call = <M extends DescMethod>(caller: Caller, method: M, request: object) =>
  callMessage(client, method, request, sayId(new Metadata(), caller));
const bodyFor = async (caller: Caller, at = 0): Promise<BodyState | undefined> => {
  const request = { by: { case: "rid", value: rids[at] } };
  return (await call(caller, HistoryService.method.getRecord, request)).record?.bodyState;
};

test("R-25 a second person takes the mask off, within the reach of who asked, until it ends by itself", async () => {
  const { access } = await call(asker, askPersonalAccess, { reason: "complaint 17" });
  expect(await bodyFor(asker)).toBe(BodyState.MASKED);
  const { access: listed } = await call(approver, listPersonalAccess, {});
  expect(listed).toMatchObject([
    { id: access?.id, callerId: asker.id, reason: "complaint 17", approvedBy: "" },
  ]);

  const approved = await call(approver, approvePersonalAccess, { id: access?.id });
  expect(approved.access).toMatchObject({ approvedBy: approver.id });
  expect(Number(approved.access?.endsAt?.seconds) * 1_000).toBe(nowMs + accessMsDefault);
  expect(await bodyFor(asker)).toBe(BodyState.COMPLETE);
  expect(
    (await failureOf(call(asker, HistoryService.method.getRecord, { by: { case: "rid", value: rids[1] } })))
      .code,
  ).toBe(status.NOT_FOUND);
  expect(await bodyFor(approver)).toBe(BodyState.MASKED);
  expect(told).toEqual([
    `${asker.id} personal_access.submitted ${access?.id}`,
    `${approver.id} personal_access.approved ${access?.id}`,
  ]);

  nowMs += accessMsDefault - 1;
  expect(await bodyFor(asker)).toBe(BodyState.COMPLETE);
  nowMs += 1;
  expect(await bodyFor(asker)).toBe(BodyState.MASKED);
  expect((await call(approver, listPersonalAccess, {})).access).toEqual([]);
});

test("nobody approves for themselves, twice, or what has ended; a machine neither asks nor approves", async () => {
  const { access } = await call(otherAsker, askPersonalAccess, { reason: "r" });
  const approve = (caller: Caller, id = access?.id) => call(caller, approvePersonalAccess, { id });
  expect((await failureOf(approve(otherAsker))).code).toBe(status.FAILED_PRECONDITION);
  expect((await failureOf(approve(robot))).code).toBe(status.FAILED_PRECONDITION);
  expect((await failureOf(call(robot, askPersonalAccess, { reason: "r" }))).code).toBe(
    status.FAILED_PRECONDITION,
  );
  expect((await failureOf(approve(approver, "nothing"))).code).toBe(status.NOT_FOUND);
  await approve(approver);
  expect((await failureOf(approve(approver))).code).toBe(status.FAILED_PRECONDITION);
  const { access: late } = await call(otherAsker, askPersonalAccess, { reason: "r" });
  nowMs += askedMsMax;
  expect((await failureOf(approve(approver, late?.id))).code).toBe(status.NOT_FOUND);
});

test("a reason is needed, and a duration of at most 8 hours; only so much is asked for at once", async () => {
  const ask = (request: object) => failureOf(call(asker, askPersonalAccess, request));
  expect(await ask({})).toMatchObject({ code: status.INVALID_ARGUMENT, fields: ["reason"] });
  for (const seconds of [0n, -1n, BigInt(accessMsMax / 1_000) + 1n])
    expect(await ask({ reason: "r", duration: { seconds } })).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ["duration"],
    });
  for (let i = 0; i < requestsOfOneMax; i++) await call(asker, askPersonalAccess, { reason: "r" });
  expect((await ask({ reason: "r" })).code).toBe(status.FAILED_PRECONDITION);
});

test("another process on the same store knows of it after it looked", async () => {
  nowMs += askedMsMax;
  const [here, there] = [personalAccesses(options()), personalAccesses(options())];
  const asked = await here.ask(asker, "r", 1_000, signal);
  await there.approve(approver, asked.id, signal);
  expect([here.isOpened(asker), there.isOpened(asker)]).toEqual([false, true]);
  await here.refresh(signal);
  expect(here.isOpened(asker)).toBe(true);
  nowMs += 1_000;
  expect([here.isOpened(asker), there.isOpened(asker)]).toEqual([false, false]);
});

test("of those who ask and approve at the same moment none is forgotten", async () => {
  nowMs += askedMsMax;
  const accesses = personalAccesses(options());
  const askers = Array.from({ length: 5 }, (_, i) => person(`asker ${i}`, grant("auditor")));
  const asked = await Promise.all(askers.map((caller) => accesses.ask(caller, "r", 1_000, signal)));
  await Promise.all(asked.map(({ id }) => accesses.approve(approver, id, signal)));
  expect(askers.filter((caller) => accesses.isOpened(caller))).toEqual(askers);
});

test("what was read before an approval does not take it back, however late the store answers", async () => {
  nowMs += askedMsMax;
  const { state } = world.store;
  const [begun, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isSlow = false;
  const personalAccess: typeof state.personalAccess = async (until) => {
    const read = await state.personalAccess(until);
    if (!isSlow) return read;
    isSlow = false;
    begun.resolve();
    await answered.promise;
    return read;
  };
  const setPersonalAccess: typeof state.setPersonalAccess = (...given) => state.setPersonalAccess(...given);
  const accesses = personalAccesses({ ...options(), state: { personalAccess, setPersonalAccess } });
  const { id } = await accesses.ask(asker, "r", 1_000, signal);
  isSlow = true;
  const refreshed = accesses.refresh(signal);
  await begun.promise;
  await accesses.approve(approver, id, signal);
  answered.resolve();
  await refreshed;
  expect(accesses.isOpened(asker)).toBe(true);
});

test("of two approvals at once the one that is told of last takes nothing back", async () => {
  nowMs += askedMsMax;
  const { state } = world.store;
  const [stored, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isSlow = false;
  const setPersonalAccess: typeof state.setPersonalAccess = async (...given) => {
    const isSet = await state.setPersonalAccess(...given);
    if (!isSlow) return isSet;
    isSlow = false;
    stored.resolve();
    await answered.promise;
    return isSet;
  };
  const personalAccess: typeof state.personalAccess = (until) => state.personalAccess(until);
  const accesses = personalAccesses({ ...options(), state: { personalAccess, setPersonalAccess } });
  const first = await accesses.ask(asker, "r", 1_000, signal);
  const second = await accesses.ask(otherAsker, "r", 1_000, signal);
  isSlow = true;
  const slow = accesses.approve(approver, first.id, signal);
  await stored.promise;
  await accesses.approve(approver, second.id, signal);
  answered.resolve();
  await slow;
  expect([accesses.isOpened(asker), accesses.isOpened(otherAsker)]).toEqual([true, true]);
});
