/** Whether the collector takes what is exported: told once when it ceases to, and once when it does again. */
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { Log } from "../../ports/log.ts";

type Exporter = { export(items: never, done: (result: ExportResult) => void): void };

export type Trouble = {
  /** The exporter itself, listened to. */
  heard<E extends Exporter>(exporter: E): E;
  /** Of whatever else goes wrong; it counts until something is taken. */
  noticed(): void;
};

/** What the SDK says may quote the endpoint, so only that it failed is passed on. */
export function openTrouble(log: Log): Trouble {
  const failing = new Set<Exporter | "else">();

  function failed(what: Exporter | "else"): void {
    if (failing.size === 0)
      log.warn(
        "telemetry_failed",
        "traces or metrics are not exported; check LASTRO_OTLP_ENDPOINT and the collector behind it",
      );
    failing.add(what);
  }

  function worked(exporter: Exporter): void {
    const wasFailing = failing.size > 0;
    failing.delete(exporter);
    failing.delete("else");
    if (wasFailing && failing.size === 0)
      log.info("telemetry_up", "the collector takes traces and metrics again");
  }

  return {
    heard(exporter) {
      const send = exporter.export.bind(exporter);
      exporter.export = (items, done) =>
        send(items, (result) => {
          if (result.code === ExportResultCode.SUCCESS) worked(exporter);
          else failed(exporter);
          done(result);
        });
      return exporter;
    },
    noticed: () => failed("else"),
  };
}
