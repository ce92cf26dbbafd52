import { expect, test } from "@jest/globals";
import { parseRid, parseSrc, ridOf, srcOf, type TopicId } from "../../src/core/ids.ts";

const topicId = "AAAAAAAAAAAAAAAAAAAAAQ" as TopicId;

test("a rid is topic id, partition and offset, and is read back", () => {
  const rid = ridOf(srcOf(topicId, 3), 42);
  expect(rid).toBe("AAAAAAAAAAAAAAAAAAAAAQ.3.42");
  expect(parseRid(rid)).toEqual({ topicId, partition: 3, offset: 42 });
  expect(parseSrc(srcOf(topicId, 3))).toEqual({ topicId, partition: 3 });
});

test.each([
  "",
  "x.1.2",
  `${topicId}.1`,
  `${topicId}.01.2`,
  `${topicId}.1.-2`,
  `${topicId}.1.9007199254740993`,
  `${topicId}.4294967296.0`,
])("%j is no rid", (text) => expect(parseRid(text)).toBeUndefined());
