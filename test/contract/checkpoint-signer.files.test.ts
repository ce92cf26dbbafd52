import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "@jest/globals";
import { openCheckpointSigner } from "../../src/adapters/files/checkpoint-signer.ts";
import { checkpointSignerContract, origin } from "./checkpoint-signer.contract.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describe("signing key in a file", () => {
  checkpointSignerContract(async () => {
    const folder = await mkdtemp(join(tmpdir(), "lastro-signer-"));
    folders.push(folder);
    const path = join(folder, "log-key.json");
    return {
      open: async () => (await openCheckpointSigner({ path, create: true, random: randomBytes }))(origin),
      async addKey() {
        const { keys } = JSON.parse(await readFile(path, "utf8"));
        await writeFile(
          path,
          JSON.stringify({ v: 1, keys: [...keys, randomBytes(32).toString("base64url")] }),
        );
      },
    };
  });
});
