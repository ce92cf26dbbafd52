import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe } from "@jest/globals";
import { openKeyRing } from "../../src/adapters/files/key-ring.ts";
import { keyRingContract } from "./key-ring.contract.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describe("key ring in a file", () => {
  keyRingContract(async () => {
    const folder = await mkdtemp(join(tmpdir(), "lastro-ring-"));
    folders.push(folder);
    const path = join(folder, "keys.json");
    return {
      ring: await openKeyRing({ path, create: true, random: randomBytes }),
      async addCurrent(epoch) {
        const file = JSON.parse(await readFile(path, "utf8"));
        const keks = { ...file.keks, [epoch]: randomBytes(32).toString("base64url") };
        await writeFile(path, JSON.stringify({ v: 1, current: epoch, keks }));
      },
      damage: () => writeFile(path, "{"),
    };
  });
});
