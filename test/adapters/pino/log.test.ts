import { expect, test } from "@jest/globals";
import { context, TraceFlags, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { openLog } from "../../../src/adapters/pino/log.ts";
import { LastroError } from "../../../src/core/errors.ts";

function capture(level: "info" | "error" = "info") {
  const lines: Record<string, unknown>[] = [];
  const log = openLog({
    level,
    version: "1.2.3",
    lines: { write: (text) => void lines.push(JSON.parse(text)) },
  });
  return { log, lines };
}

test("R-11 a log line is JSON with ECS names", () => {
  const { log, lines } = capture();
  log.info("partition_running", "the partition is read", { partition: 3, code: undefined });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    "@timestamp": expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    "log.level": "info",
    message: "the partition is read",
    "ecs.version": expect.any(String),
    "service.name": "lastro",
    "service.version": "1.2.3",
    "event.code": "partition_running",
    "lastro.partition": 3,
  });
  expect(lines[0]).not.toHaveProperty("lastro.code");
});

test("R-11 a log line carries the ids of the trace it belongs to", () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  try {
    const { log, lines } = capture();
    const spanContext = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: TraceFlags.SAMPLED,
    };
    context.with(trace.setSpanContext(context.active(), spanContext), () => log.warn("slow", "it is slow"));
    expect(lines[0]).toMatchObject({ "trace.id": spanContext.traceId, "span.id": spanContext.spanId });
  } finally {
    context.disable();
  }
});

test("a field cannot take the place of an ECS field", () => {
  const { log, lines } = capture();
  log.info("code", "sentence", { message: "other", "log.level": "error" });
  expect(lines[0]).toMatchObject({ message: "sentence", "log.level": "info", "lastro.message": "other" });
});

test("an error of ours is logged with code, message and stack", () => {
  const { log, lines } = capture("error");
  log.warn("hidden", "below the level");
  log.error(
    "stopped",
    "the partition stops",
    { partition: 1 },
    new LastroError("SOURCE_CHANGED", "the topic is another"),
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    "error.code": "SOURCE_CHANGED",
    "error.message": "the topic is another",
    "error.type": "LastroError",
    "error.stack_trace": expect.stringContaining("log.test.ts"),
  });
});

test("what a driver's error quotes stays out of the log", () => {
  const { log, lines } = capture();
  const driver = Object.assign(
    new Error("E11000 duplicate key: { document_registry: '12345678900' }\n at 12345678900"),
    {
      code: 11_000,
      document: { name: "John Doe" },
    },
  );
  log.error(
    "failed",
    "the append failed",
    {},
    new LastroError("STORE_UNAVAILABLE", "try again", { cause: driver }),
  );
  log.error("failed", "the append failed", {}, driver);
  log.error("failed", "the append failed", {}, "12345678900");
  expect(lines[1]).toMatchObject({ "error.code": "11000", "error.type": "Error" });
  expect(lines[0]?.["error.stack_trace"]).toContain("caused by Error (11000)");
  expect(JSON.stringify(lines)).not.toMatch(/12345678900|John Doe/);
});
