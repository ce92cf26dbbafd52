import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { expect, test } from "@jest/globals";
import { type CallFrame, type CpuProfile, callTree, stationOf, timeByStation } from "./cpu-profile.ts";

const frame = (url: string, functionName = "work"): CallFrame => ({ functionName, url, lineNumber: 0 });
const ours = (path: string): CallFrame => frame(`file:///anywhere/src/${path}`);
const library = (path: string): CallFrame => frame(`file:///anywhere/node_modules/${path}`);
const root = frame("", "(root)");

const node = (id: number, callFrame: CallFrame, ...children: readonly number[]) => ({
  id,
  callFrame,
  children,
});
const profile: CpuProfile = {
  nodes: [
    node(1, root, 2, 5, 6),
    node(2, ours("ingest/consume.ts"), 3),
    node(3, ours("privacy/seal.ts"), 4),
    node(4, frame("node:internal/crypto/cipher")),
    node(5, frame("", "(idle)")),
    node(6, frame("", "(garbage collector)")),
  ],
  samples: [2, 4, 4, 5, 6],
  timeDeltas: [0, 10, 20, 30, 1_000, 5],
};

test("a sample counts until the next one, for the station that worked, and idle time for none", () => {
  expect(Object.fromEntries(timeByStation(callTree(profile)))).toEqual({
    "rest of ingest": 10,
    seal: 50,
    collections: 5,
  });
});

test("of our files the innermost that has a station decides, whatever libraries lie below", () => {
  const driver = [library("mongodb/lib/collection.js"), library("bson/lib/bson.node.mjs")];
  expect(
    stationOf([root, ours("ingest/append-versions.ts"), ours("adapters/mongo/append.ts"), ...driver]),
  ).toBe("store");
  expect(stationOf([root, ours("ingest/head-cache.ts"), ours("core/json-slice.ts")])).toBe("parse");
  expect(stationOf([root, ours("core/identity.ts"), ours("core/canonical.ts"), ours("lib/sha256.ts")])).toBe(
    "identity",
  );
});

test("a library without one of our files above it is a station of its own", () => {
  expect(stationOf([root, frame("node:net"), library("bson/lib/bson.node.mjs")])).toBe("store's driver");
  expect(stationOf([root, library("kafkajs/src/network/connection.js"), frame("node:zlib")])).toBe(
    "Kafka client",
  );
  expect(stationOf([root, frame("node:internal/modules/esm/loader")])).toBe("start");
  expect(stationOf([root, frame("node:internal/timers")])).toBe("Node itself");
});

test("every folder of the way in has a station", () => {
  const map = readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8");
  for (const adapter of [
    "kafkajs",
    "platformatic-kafka",
    "mongo",
    "sqlite",
    "redis",
    "memory",
    "otel",
    "pino",
  ]) {
    expect(map).toContain(adapter);
    expect(stationOf([root, ours(`adapters/${adapter}/any.ts`)])).not.toBe("Node itself");
  }
});

test("a profile that V8 has just taken is read, and its busy time is found", async () => {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  const until = performance.now() + 100;
  let spun = 0;
  while (performance.now() < until) spun += Math.sqrt(spun + 1);
  const { profile: taken } = await session.post("Profiler.stop");
  session.disconnect();
  const stations = timeByStation(callTree(taken as CpuProfile));
  const busyUs = [...stations.values()].reduce((sum, us) => sum + us, 0);
  expect(spun).toBeGreaterThan(0);
  expect(busyUs).toBeGreaterThan(50_000);
});

test("an empty profile is an error", () => {
  expect(() => callTree({ nodes: [], samples: [], timeDeltas: [] })).toThrow("empty");
});
