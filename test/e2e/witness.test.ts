/** The running service and witness programs of others: what they cosigned is published, and what becomes of the service without them. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseLogEntry } from "../../src/core/log-entries.ts";
import { parseNote, parseVerifierKey, verifiedSignature } from "../../src/core/signed-note.ts";
import { decodeEntries, entriesPath } from "../../src/core/tiles.ts";
import { HistoryService } from "../../src/gen/lastro/v1/history_pb.ts";
import { LogState } from "../../src/gen/lastro/v1/record_pb.ts";
import { until } from "../support/lastro.ts";
import { ed25519, sha256 } from "../support/log.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { startWitnessProcess, type WitnessProcess } from "../support/witness.ts";
import { message, metricOf, type Service, startService, startTimeoutMs, textOf } from "./service.ts";

const askMs = 20_000;

describe.each(["sqlite", "mongodb"] as const)("on %s", (kind) => {
  let service: Service;
  let witnesses: readonly WitnessProcess[];
  const folder = temporaryFolder();

  beforeAll(async () => {
    service = await startService(kind);
    await service.send([message({ metadata: { event_id: "e-1" } })]);
    const logs = [await verifierKey()];
    const names = ["one.test/w", "two.test/w"];
    witnesses = await Promise.all(
      names.map((name) => startWitnessProcess({ folder: `${folder.path}/${name}`, name, logs })),
    );
    await service.restart({
      LASTRO_WITNESSES: witnesses.map(({ vkey, url }) => `${vkey}@${url}`).join(","),
      LASTRO_WITNESS_INTERVAL_MS: "100",
    });
  }, startTimeoutMs);
  afterAll(async () => {
    for (const witness of witnesses ?? []) witness.process.kill("SIGKILL");
    await service?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const fetched = (path: string): Promise<Response> => fetch(`${service.lastro().httpUrl}/${path}`);
  /** As a witness gets it: the genesis entry names it. */
  async function verifierKey(): Promise<string> {
    await until("the log has begun", async () => (await fetched("checkpoint")).ok, askMs);
    const bundle = await (await fetched(entriesPath(0, 1))).arrayBuffer();
    const [entry] = decodeEntries(new Uint8Array(bundle)) ?? [];
    const genesis = parseLogEntry(textOf(entry));
    if (genesis?.t !== "control" || genesis.kind !== "genesis") throw new Error("no genesis");
    return genesis.data.vkey;
  }
  const stored = (eventId: string, waitFor: LogState) =>
    service.ask(HistoryService, "getRecord", {
      by: {
        case: "eventId",
        value: { producerService: "team_service", form: { case: "metadata", value: eventId } },
      },
      waitFor,
    });

  test(
    "R-84 a stored record becomes witnessed, and /checkpoint.witnessed carries the cosignatures of both witnesses",
    async () => {
      await service.send([message({ metadata: { event_id: "e-2" } })]);
      const { record } = await stored("e-2", LogState.WITNESSED);
      expect(record?.log?.state).toBe(LogState.WITNESSED);
      await until(
        "both have cosigned",
        async () => {
          const note = parseNote(await (await fetched("checkpoint.witnessed")).text());
          return witnesses.every(({ vkey }) => {
            const key = parseVerifierKey(sha256, vkey);
            return note && key && verifiedSignature(note, key, ed25519) !== undefined;
          });
        },
        askMs,
      );
      const metrics = await service.metrics();
      expect(metricOf(metrics, 'lastro_witness_cosigns{witness="one.test/w"')).toBe(1);
      expect(metricOf(metrics, "lastro_log_witnessed_size")).toBeGreaterThan(0);
    },
    startTimeoutMs,
  );

  test(
    "R-84 without its witnesses the service takes in, logs and stays ready; metrics and readiness name who is missing",
    async () => {
      for (const witness of witnesses) witness.process.kill("SIGKILL");
      await service.send([message({ metadata: { event_id: "e-3" } })]);
      const { record } = await stored("e-3", LogState.LOGGED);
      expect(record?.log?.state).toBe(LogState.LOGGED);
      await until(
        "both are missed",
        async () => metricOf(await service.metrics(), "lastro_witness_cosigns{") === 0,
        askMs,
      );
      const ready = await fetched("readyz");
      expect(ready.status).toBe(200);
      expect(await ready.json()).toMatchObject({
        parts: { witnesses: { ok: false, detail: "did not cosign: one.test/w, two.test/w" } },
      });
    },
    startTimeoutMs,
  );
});
