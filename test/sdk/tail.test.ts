/** The tail of the SDK against a service that ends it in every way: where it goes on, and where it gives up. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { tailRecords } from "../../src/sdk/tail.ts";
import { openLink } from "../support/link.ts";
import { scriptedTail, type TailAnswer } from "../support/scripted-tail.ts";

/** What one call is answered: places that are told, then how it ends. */
type Scripted = { readonly places: readonly number[]; readonly end: status };
const scripted = (...answers: readonly Scripted[]) => {
  const [first, ...rest] = answers.map(
    ({ places, end }): TailAnswer => ({ told: places.map((place) => ({ nextIndex: BigInt(place) })), end }),
  );
  return scriptedTail(first ?? { told: [], end: status.OK }, ...rest);
};

async function tell(
  address: string,
  access?: Parameters<typeof tailRecords>[3],
  pause?: Parameters<typeof tailRecords>[5],
): Promise<{ readonly told: readonly number[]; readonly code: string }> {
  const told: number[] = [];
  try {
    const question = { filter: "", from: { index: 3 } };
    const signal = AbortSignal.timeout(60_000);
    for await (const { nextIndex } of tailRecords(address, question, signal, access, undefined, pause))
      told.push(nextIndex);
  } catch (error) {
    return { told, code: (error as { readonly code: string }).code };
  }
  return { told, code: "none" };
}

describe("R-10 a tail that ended goes on behind what it was told", () => {
  test.each([
    ["the service went away", status.UNAVAILABLE],
    ["its token is over", status.UNAUTHENTICATED],
    ["some of its grants are gone", status.PERMISSION_DENIED],
    ["it read too slowly", status.RESOURCE_EXHAUSTED],
  ])("when %s", async (_, end) => {
    using service = await scripted({ places: [3, 7], end }, { places: [9], end: status.INVALID_ARGUMENT });
    expect(await tell(service.address)).toEqual({ told: [3, 7, 9], code: "INVALID_ARGUMENT" });
    expect(service.asked.map(({ from }) => from)).toEqual([3, 7]);
  });

  test("and leaves out what was recorded before the time it began at", async () => {
    const sinceMs = Date.parse("2026-11-30T12:00:00Z");
    const at = (ms: number) => ({ rid: `${ms}`, recordedAt: timestampFromMs(sinceMs + ms) });
    using service = await scriptedTail(
      { told: [{ nextIndex: 4n, records: [at(5)] }], end: status.UNAVAILABLE },
      {
        told: [{ nextIndex: 9n, records: [at(-1), at(0), at(-60_000), at(1)] }],
        end: status.INVALID_ARGUMENT,
      },
    );
    const told: string[] = [];
    const tail = tailRecords(
      service.address,
      { filter: "", from: { recordedAtMs: sinceMs } },
      AbortSignal.timeout(60_000),
    );
    const read = async (): Promise<void> => {
      for await (const { records } of tail) told.push(...records.map(({ rid }) => rid));
    };
    await expect(read()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(told).toEqual(["5", "0", "1"]);
    expect(service.asked.map(({ from }) => from)).toEqual([undefined, 4]);
  });

  test("each time with what says who asks then", async () => {
    using service = await scripted(
      { places: [4], end: status.UNAUTHENTICATED },
      { places: [], end: status.UNAUTHENTICATED },
    );
    let tokens = 0;
    const access = () => ({ token: `token-${++tokens}` });
    expect(await tell(service.address, access)).toEqual({ told: [4], code: "UNAUTHENTICATED" });
    expect(service.asked.map(({ token }) => token)).toEqual(["Bearer token-1", "Bearer token-2"]);
  });
});

describe("R-10 a tail whose connection died without a word goes on over another", () => {
  const silenceMsMax = 600;
  const overLink = (port: number, signal: AbortSignal) =>
    tailRecords(`127.0.0.1:${port}`, { filter: "", from: { index: 3 } }, signal, undefined, silenceMsMax);
  const told = (nextIndex: bigint) => ({ told: [{ nextIndex }] });

  test("behind what it was told", async () => {
    using service = await scriptedTail(told(7n), told(9n));
    await using link = await openLink(Number(service.address.split(":")[1]));
    const stop = new AbortController();
    const places: number[] = [];
    for await (const { nextIndex } of overLink(link.port, stop.signal)) {
      places.push(nextIndex);
      if (nextIndex === 7) link.forget();
      else stop.abort();
    }
    expect(places).toEqual([7, 9]);
    expect(service.asked.map(({ from }) => from)).toEqual([3, 7]);
  });

  test("also before its first answer", async () => {
    using service = await scriptedTail(told(7n));
    await using link = await openLink(Number(service.address.split(":")[1]));
    const isHeld = link.hold(Buffer.from("PRI * HTTP/2.0"));
    const stop = new AbortController();
    const first = overLink(link.port, stop.signal).next();
    await isHeld;
    link.forget();
    await link.become({});
    expect(await first).toMatchObject({ value: { nextIndex: 7 } });
    stop.abort();
    expect(service.asked.map(({ from }) => from)).toEqual([3]);
  });

  test("and not while the service answers pings, however long it has nothing to tell", async () => {
    using service = await scriptedTail(told(7n));
    const signal = AbortSignal.timeout(5 * silenceMsMax);
    const places: number[] = [];
    for await (const { nextIndex } of overLink(Number(service.address.split(":")[1]), signal))
      places.push(nextIndex);
    expect(places).toEqual([7]);
    expect(service.asked).toHaveLength(1);
  });
});

/** Behind that many calls the service refuses, so that a tail which would go on for ever ends. */
const callsMax = 40;
async function tellOften(answerOf: (call: number) => Scripted) {
  const calls = Array.from({ length: callsMax }, (_, call) => answerOf(call));
  using service = await scripted(...calls, { places: [], end: status.INVALID_ARGUMENT });
  let pauses = 0;
  const pause = async (): Promise<void> => {
    pauses += 1;
  };
  const { code } = await tell(service.address, undefined, pause);
  return { code, asked: service.asked.length, pauses };
}

test.each([
  ["that ended it without a word", [], status.OK],
  ["that went away", [], status.UNAVAILABLE],
  ["that answered with its place and ended it", [3], status.OK],
  ["that answered with its place and went away", [3], status.UNAVAILABLE],
])(
  "a tail asks a service %s again after a pause, and gives up behind the 31st time in a row",
  async (_, places, end) => {
    expect(await tellOften(() => ({ places, end }))).toEqual({
      code: "SOURCE_UNAVAILABLE",
      asked: 31,
      pauses: 30,
    });
  },
);

test.each([
  ["each connection leads on", (call: number) => [4 + call], status.OK],
  ["each connection stands until a heartbeat", () => [3, 3], status.UNAVAILABLE],
] as const)("breaks do not add up while %s", async (_, placesOf, end) => {
  expect(await tellOften((call) => ({ places: placesOf(call), end }))).toEqual({
    code: "INVALID_ARGUMENT",
    asked: callsMax + 1,
    pauses: callsMax,
  });
});

test.each([
  ["UNAUTHENTICATED", status.UNAUTHENTICATED],
  ["PERMISSION_DENIED", status.PERMISSION_DENIED],
  ["LIMIT_REACHED", status.RESOURCE_EXHAUSTED],
  ["FAILED_PRECONDITION", status.FAILED_PRECONDITION],
  ["SOURCE_UNAVAILABLE", status.INTERNAL],
])("a tail that never began ends at once, with %s", async (code, end) => {
  using service = await scripted({ places: [], end });
  expect(await tell(service.address)).toEqual({ told: [], code });
  expect(service.asked).toHaveLength(1);
});

test("a token is not sent in the clear to another machine", async () => {
  expect(await tell("audit.example.org:50051", () => ({ token: "t" }))).toEqual({
    told: [],
    code: "INVALID_ARGUMENT",
  });
});
