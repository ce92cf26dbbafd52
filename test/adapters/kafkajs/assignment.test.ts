/** What becomes of assigned partitions while the broker does not tell what the topic holds. */
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { openAssignment } from "../../../src/adapters/kafkajs/assignment.ts";
import { coalescedCommits } from "../../../src/adapters/kafkajs/commits.ts";
import { openMembership } from "../../../src/adapters/kafkajs/membership.ts";
import { LastroError } from "../../../src/core/errors.ts";
import { srcOf, type TopicId } from "../../../src/core/ids.ts";
import type { EventSource } from "../../../src/ports/event-source.ts";
import type { TopicState } from "../../../src/ports/topic-reader.ts";
import { recorder } from "../../contract/event-source.recorder.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());
/** Longer than a pause between two tries. */
const pass = () => jest.advanceTimersByTimeAsync(2_000);

const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;
const state: TopicState = {
  clusterId: "c",
  topicId,
  partitions: [0, 1].map((partition) => ({ partition, logStart: 3, logEnd: 9 })),
};

/** A member of a group whose broker answers with these, one after the other, and with the topic from then on. */
function member(...answers: (() => Promise<TopicState>)[]) {
  const asked: string[] = [];
  const warned: string[] = [];
  const life = new AbortController();
  const note = (what: string) => (of: readonly { partitions?: number[] }[]) =>
    void asked.push(`${what} ${of.flatMap(({ partitions }) => partitions)}`);
  const consumer = {
    pause: note("pause"),
    resume: note("resume"),
    seek: ({ partition, offset }: { partition: number; offset: string }) =>
      void asked.push(`seek ${partition} to ${offset}`),
  };
  const assignment = openAssignment({
    topic: "audit",
    topicReader: {
      read: async () => (answers.shift() ?? (async () => state))(),
      topicId: async () => topicId,
      [Symbol.asyncDispose]: async () => undefined,
    },
    consumer: consumer as unknown as Parameters<typeof openAssignment>[0]["consumer"],
    membership: openMembership({ sessionTimeoutMs: 6_000, drainBudgetMs: 5_000, now: () => 0 }),
    commits: coalescedCommits(
      async () => undefined,
      () => undefined,
    ),
    log: { info: () => undefined, warn: (code) => void warned.push(code), error: () => undefined },
    incarnation: async () => undefined,
    found: topicId,
    signal: life.signal,
  });
  const seen = recorder(assignment as unknown as EventSource, () => 3);
  assignment.handler(seen.handler);
  return { assignment, seen, asked, warned, life };
}

const silent = new LastroError("SOURCE_UNAVAILABLE", "no answer");

test("partitions that are assigned while the broker does not tell what the topic holds are announced once it does, and meanwhile that is told", async () => {
  const one = member(
    () => Promise.reject(silent),
    () => Promise.reject(new TypeError("no answer of a broker")),
  );
  one.assignment.joined([0, 1]);
  await jest.advanceTimersByTimeAsync(0);
  expect([one.warned, one.seen.assigned]).toEqual([["topic_unread"], []]);
  await pass();
  await pass();
  expect(one.warned).toEqual(["topic_unread", "topic_unread"]);
  expect(one.seen.assigned.map(({ src }) => src)).toEqual([srcOf(topicId, 0), srcOf(topicId, 1)]);
  expect(one.seen.assigned[0]).toMatchObject({ logStart: 3, logEnd: 9 });
  expect(one.asked).toEqual(["pause 0,1", "seek 0 to 3", "resume 0", "seek 1 to 3", "resume 1"]);
  expect(one.seen.crashed).toEqual([]);
});

test("a topic that can never be read ends the process: nothing is announced and nothing is asked again", async () => {
  const unsuitable = new LastroError("TOPIC_UNSUITABLE", "no topic ids");
  const one = member(() => Promise.reject(unsuitable));
  one.assignment.joined([0, 1]);
  await pass();
  expect([one.seen.crashed, one.seen.assigned, one.warned]).toEqual([[unsuitable], [], []]);
});

test("an assignment that another has replaced while the broker was silent announces nothing", async () => {
  const late = Promise.withResolvers<TopicState>();
  const one = member(
    () => late.promise,
    () => Promise.reject(silent),
  );
  one.assignment.joined([0]);
  await jest.advanceTimersByTimeAsync(0);
  one.assignment.joined([1]);
  late.resolve(state);
  await pass();
  expect(one.seen.assigned.map(({ partition }) => partition)).toEqual([1]);
});

test("a member that is closed while the broker is silent asks no more", async () => {
  const one = member(() => Promise.reject(silent));
  one.assignment.joined([0]);
  await jest.advanceTimersByTimeAsync(0);
  one.life.abort();
  await pass();
  expect([one.warned, one.seen.assigned]).toEqual([["topic_unread"], []]);
});
