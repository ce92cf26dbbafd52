import { expect, test } from "@jest/globals";
import { readSettings } from "../../src/demo/settings.ts";

const note = JSON.stringify({ LASTRO_KAFKA_BROKERS: "127.0.0.1:39092", LASTRO_GRPC_ADDRESS: "[::1]:50052" });

test("without anything said the demo looks where npm start puts things", () => {
  expect(readSettings({}, undefined)).toEqual({
    ok: true,
    settings: { brokers: ["127.0.0.1:9092"], topic: "audit", grpcAddress: "127.0.0.1:50051" },
  });
});

test("the launcher's note says where the service is; the environment comes before it", () => {
  expect(readSettings({ LASTRO_KAFKA_TOPIC: "" }, note)).toMatchObject({
    settings: { brokers: ["127.0.0.1:39092"], topic: "audit", grpcAddress: "[::1]:50052" },
  });
  expect(
    readSettings({ LASTRO_KAFKA_BROKERS: "a:1, b:2", LASTRO_KAFKA_TOPIC: "events" }, note),
  ).toMatchObject({
    settings: { brokers: ["a:1", "b:2"], topic: "events", grpcAddress: "[::1]:50052" },
  });
});

test("a note that cannot be read is no note", () => {
  for (const broken of ["", "{", "[]", '{"LASTRO_KAFKA_BROKERS":1}'])
    expect(readSettings({}, broken)).toMatchObject({ settings: { brokers: ["127.0.0.1:9092"] } });
});

test("an address that is none is named", () => {
  expect(readSettings({ LASTRO_GRPC_ADDRESS: "here" }, undefined)).toEqual({
    ok: false,
    errors: [expect.stringMatching(/^LASTRO_GRPC_ADDRESS must be host:port/)],
  });
});
