/** A collector that takes nothing is told once, and once that it takes again, however often it is asked. */
import { expect, test } from "@jest/globals";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { openTrouble } from "../../../src/adapters/otel/trouble.ts";

function listening() {
  const told: string[] = [];
  const hear = (code: string): void => void told.push(code);
  const trouble = openTrouble({ info: hear, warn: hear, error: hear });
  const exporter = () => {
    const given: ExportResult[] = [];
    const heard = trouble.heard({
      export: (result: ExportResult, done: (result: ExportResult) => void) => done(result),
    });
    const answers = (code: ExportResultCode): void =>
      heard.export({ code }, (result) => void given.push(result));
    return {
      given,
      fails: () => answers(ExportResultCode.FAILED),
      takes: () => answers(ExportResultCode.SUCCESS),
    };
  };
  return { told, trouble, traces: exporter(), metrics: exporter() };
}

test("what fails over and over is told once, and again only after all was taken meanwhile", () => {
  const { told, trouble, traces, metrics } = listening();
  traces.takes();
  metrics.takes();
  expect(told).toEqual([]);
  for (let round = 0; round < 3; round++) {
    traces.fails();
    metrics.fails();
    trouble.noticed();
  }
  expect(told).toEqual(["telemetry_failed"]);
  metrics.takes();
  expect(told).toEqual(["telemetry_failed"]);
  traces.takes();
  expect(told).toEqual(["telemetry_failed", "telemetry_up"]);
  metrics.fails();
  expect(told).toEqual(["telemetry_failed", "telemetry_up", "telemetry_failed"]);
});

test("one signal that is never taken is told once, however often the other is", () => {
  const { told, traces, metrics } = listening();
  for (let round = 0; round < 3; round++) {
    traces.fails();
    metrics.takes();
  }
  expect(told).toEqual(["telemetry_failed"]);
});

test("trouble of another kind is told, and is over once something is taken", () => {
  const { told, trouble, traces } = listening();
  trouble.noticed();
  trouble.noticed();
  traces.takes();
  expect(told).toEqual(["telemetry_failed", "telemetry_up"]);
});

test("who exports gets the answer all the same", () => {
  const { traces } = listening();
  traces.fails();
  traces.takes();
  expect(traces.given).toEqual([{ code: ExportResultCode.FAILED }, { code: ExportResultCode.SUCCESS }]);
});
