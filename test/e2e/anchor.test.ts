/** The running service and its anchors: a folder, and an authority for time stamps that is not ours. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { checkpointSuffix } from "../../src/core/anchored-files.ts";
import { until } from "../support/lastro.ts";
import { readiness } from "../support/operator.ts";
import { runLastro } from "../support/run-cli.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { opensslAccepts, startAuthority, type TimeStampAuthority } from "../support/time-stamp-authority.ts";
import { message, metricOf, type Service, startService, startTimeoutMs } from "./service.ts";

const askMs = 30_000;

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  let authority: TimeStampAuthority;
  const folder = temporaryFolder();

  const anchored = () => ({
    LASTRO_ANCHOR_FOLDER: folder.path,
    LASTRO_ANCHOR_TSA_URL: authority.url,
    LASTRO_ANCHOR_TSA_CA_FILE: authority.caFile,
    LASTRO_ANCHOR_INTERVAL_MS: "1000",
    LASTRO_LOG_HEARTBEAT_MS: "1000",
  });

  beforeAll(async () => {
    authority = await startAuthority();
    service = await startService(kind);
    await service.send([message({ metadata: { event_id: "e-1" } })]);
    await service.restart(anchored());
  }, startTimeoutMs);
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await authority?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const own = (): string => join(folder.path, readdirSync(folder.path)[0] ?? "none");
  const kept = (suffix: string): readonly string[] =>
    readdirSync(own())
      .filter((name) => name.endsWith(suffix))
      .toSorted();

  test(
    "R-84 checkpoints are kept and stamped as the log grows, and the served log is verified against them",
    async () => {
      await until("two checkpoints are stamped", async () => kept(".tsr").length >= 2, askMs);
      const [stamp = ""] = kept(".tsr");
      const file = join(own(), stamp);
      expect(await opensslAccepts(authority.caFile, file.slice(0, -".tsr".length), file)).toBe(true);
      const args = ["--anchored", own(), "--tsa", authority.caFile, "--json"];
      const ended = await runLastro("verify", "log", service.lastro().httpUrl, ...args);
      const { verdict, basis } = JSON.parse(ended.out);
      expect({ verdict, kinds: basis.map((one: { kind: string }) => one.kind), code: ended.code }).toEqual({
        verdict: "intact",
        kinds: ["self", "anchored"],
        code: 0,
      });
      const metrics = await service.metrics();
      for (const anchor of ["folder", "time-stamp"]) {
        expect(metricOf(metrics, `lastro_anchor_keeps{anchor="${anchor}"`)).toBe(1);
        expect(metricOf(metrics, `lastro_log_anchored_size{anchor="${anchor}"`)).toBeGreaterThan(0);
      }
    },
    4 * askMs,
  );

  test(
    "R-84 while the authority gives no time stamp the service stays ready and says who is missing, and it goes on by itself",
    async () => {
      authority.answer = Buffer.from("<html>");
      await until(
        "readiness names it",
        async () => {
          const { status, parts } = await readiness(service.lastro());
          return status === "degraded" && parts["anchors"]?.ok === false;
        },
        askMs,
      );
      const { parts } = await readiness(service.lastro());
      expect(parts["anchors"]).toEqual({
        ok: false,
        required: false,
        detail: "did not keep the checkpoint: time-stamp",
      });
      const [before, folders] = [kept(".tsr").length, kept(".checkpoint").length];
      await until("the folder goes on", async () => kept(".checkpoint").length > folders, askMs);
      expect(kept(".tsr").length).toBe(before);
      authority.answer = undefined;
      await until("it is stamped again", async () => kept(".tsr").length > before, askMs);
    },
    4 * askMs,
  );

  // What waits for the folder knows nothing of the store.
  if (kind !== "sqlite") return;
  test(
    "a folder whose file system does not answer is missed after its time, and a service that is told to stop ends in under 10 s all the same",
    async () => {
      const size = Number(kept(".checkpoint").at(-1)?.slice(0, -checkpointSuffix.length));
      // Whoever opens one of these to read waits in the kernel until somebody writes.
      const next = Array.from({ length: 200 }, (_, at) => `${size + 1 + at}`.padStart(16, "0"));
      execFileSync(
        "mkfifo",
        next.map((name) => join(own(), `${name}${checkpointSuffix}`)),
      );
      await service.restart({ ...anchored(), LASTRO_ANCHOR_TIMEOUT_MS: "1000" });
      await until(
        "readiness names both",
        async () =>
          (await readiness(service.lastro())).parts["anchors"]?.detail ===
          "did not keep the checkpoint: folder, time-stamp",
        askMs,
      );
      expect(metricOf(await service.metrics(), `lastro_anchor_keeps{anchor="folder"`)).toBe(0);
      const beganMs = performance.now();
      const { code, output } = await service.stop();
      expect(performance.now() - beganMs).toBeLessThan(10_000);
      expect(code).toBe("SIGKILL");
      expect(output).toContain("log_thread_stuck");
    },
    4 * askMs,
  );
});
