/** How long the service takes from its spawn until it says it is ready: on a new folder, on an empty store, on a large one whose log is whole. */
import { constants, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLastro } from "../support/lastro.ts";
import { untilLogged } from "../support/log-gauges.ts";
import { type Servers, serviceEnv } from "./intake.ts";
import { prepareReadsStore } from "./reads-store.ts";
import { spread, table } from "./report.ts";
import type { Section } from "./section.ts";
import { benchSetting, records } from "./settings.ts";

const starts = benchSetting("STARTS", 5);
const lookMs = 2;

type Env = Readonly<Record<string, string>>;

async function msUntilReady(env: Env): Promise<number> {
  const beganMs = performance.now();
  const lastro = await startLastro({ env }, lookMs);
  const took = performance.now() - beganMs;
  await lastro.stop();
  return took;
}

async function restarts(env: Env): Promise<readonly number[]> {
  const took: number[] = [];
  while (took.length < starts) took.push(await msUntilReady(env));
  return took;
}

/** A copy of the store that `reads` reads from, once its log has caught up. */
async function largeStore(env: (dir: string, more: Env) => Env, dir: string): Promise<Env> {
  const store = await prepareReadsStore(records);
  const path = join(dir, "large.db");
  copyFileSync(store.path, path, constants.COPYFILE_FICLONE);
  const given = env(dir, { LASTRO_STORE_URL: `sqlite:${path}`, LASTRO_KEY_RING_FILE: store.ringPath });
  const lastro = await startLastro({ env: given });
  await untilLogged(lastro, records);
  await lastro.stop();
  return given;
}

export async function startSection(servers: Servers): Promise<Section> {
  const topic = `bench-start-${process.pid}`;
  const env = (dir: string, more: Env = {}): Env => serviceEnv(servers, topic, dir, more);
  const dir = mkdtempSync(join(tmpdir(), "lastro-bench-start-"));
  try {
    const folders = Array.from({ length: starts }, (_, at) => join(dir, String(at)));
    const first: number[] = [];
    for (const folder of folders) first.push(await msUntilReady(env(folder)));
    const again = await restarts(env(folders[0] ?? dir));
    const large = await restarts(await largeStore(env, dir));
    return {
      text: table(
        ["spawn to ready, servers running", `ms, median (least – most) of ${starts}`],
        [
          ["new folder: keys and store are made", spread(first, 0)],
          ["empty store", spread(again, 0)],
          [`${records.toLocaleString("en")} records, all logged`, spread(large, 0)],
        ],
      ),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
