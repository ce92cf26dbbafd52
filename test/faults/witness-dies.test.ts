/** kill -9 of the witness program after it has remembered a checkpoint and before it answers: it never cosigns a fork of what it remembers. */
import { afterAll, expect, test } from "@jest/globals";
import { formatAddCheckpoint } from "../../src/core/add-checkpoint.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { post, startWitnessProcess, type WatchedLog, watchedLog } from "../support/witness.ts";

const rounds = Number(process.env["LASTRO_TEST_FAULT_ROUNDS"] ?? 3);
const log = watchedLog("log.test/a", 300);
const fork = watchedLog("log.test/a", 300, 100);
const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const ask = async (url: string, from: number, size: number, of: WatchedLog = log) =>
  post(url, formatAddCheckpoint(await of.request(from, size)));

test(
  "a witness that dies between remembering and answering has told nobody, and afterwards cosigns only what it remembered",
  async () => {
    const logs = [log.vkey];
    for (let round = 0; round < rounds; round++) {
      const options = { folder: `${folder.path}/${round}`, logs };
      const dies = await startWitnessProcess({ ...options, dieAt: 2 });
      expect((await ask(dies.url, 0, 120)).status).toBe(200);
      await expect(ask(dies.url, 120, 200)).rejects.toThrow();
      expect(await dies.ended).toBe("SIGKILL");

      const again = await startWitnessProcess(options);
      expect(again.vkey).toBe(dies.vkey);
      expect(await ask(again.url, 120, 210, fork)).toMatchObject({ status: 409, text: "200\n" });
      expect(await ask(again.url, 200, 200, fork)).toMatchObject({ status: 409, text: "200\n" });
      expect(await ask(again.url, 200, 210, fork)).toMatchObject({ status: 422 });
      expect(await ask(again.url, 120, 200)).toMatchObject({ status: 409, text: "200\n" });
      expect(await ask(again.url, 200, 200)).toMatchObject({ status: 200 });
      again.process.kill("SIGKILL");
      await again.ended;
    }
  },
  rounds * 30_000,
);
