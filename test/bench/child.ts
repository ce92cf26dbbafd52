/** Programs of the bench that measure in a process of their own and print what they measured as JSON. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** LASTRO_BATCH_SIZE_MAX as it ships. */
const batchSize = 4_000;
const childMsMax = 3_600_000;

export type Rate = { readonly perSecond: number; readonly cpuUs: number };

export async function child(name: string, ...args: readonly string[]): Promise<unknown> {
  const program = fileURLToPath(new URL(name, import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, ...args],
    { timeout: childMsMax },
  );
  return JSON.parse(stdout);
}

/** Of the bare loop over the rows of `source` that `target` lacks; only the last `rows` of them count. */
export const bareRate = async (
  source: string,
  target: string,
  rows = Number.MAX_SAFE_INTEGER,
): Promise<Rate> => (await child("bare.ts", source, target, String(batchSize), String(rows))) as Rate;
