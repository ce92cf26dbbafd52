/** A key ring in a real Vault keeps the contract of key rings, and is never made there. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { VaultLogin } from "../../src/adapters/vault/token.ts";
import type { Config } from "../../src/config.ts";
import { openRing } from "../../src/open-ring.ts";
import { appRole, startTestVault, type TestVault } from "../support/vault.ts";
import { keyRingContract } from "./key-ring.contract.ts";

const { signal } = new AbortController();
const opened = new AsyncDisposableStack();
let vault: TestVault;
beforeAll(async () => {
  vault = await startTestVault();
}, 180_000);
afterAll(async () => {
  await opened.disposeAsync();
  await vault[Symbol.asyncDispose]();
});

const newKek = (): string => randomBytes(32).toString("base64url");

/** A place for a ring, and Vault as the configuration names it. */
async function placed({
  create = false,
  path = `secret/data/${randomBytes(6).toString("hex")}`,
  login,
}: Partial<{ create: boolean; path: string; login: VaultLogin }> = {}) {
  const config: Pick<Config, "keys" | "vault"> = {
    keys: { ringFile: "/never/read", ringSecret: { path, field: "keyring" }, refreshMs: 60_000 },
    vault: {
      address: vault.url,
      namespace: undefined,
      caFile: undefined,
      timeoutMs: 2_000,
      login: login ?? {
        kind: "token",
        file: vault.tokenFile(randomBytes(6).toString("hex"), await vault.token([path])),
      },
    },
  };
  const steadyNow = (): number => performance.now();
  return {
    path,
    put: (keyring: string) => vault.ask("POST", path, { data: { keyring } }),
    open: (owner = opened) => openRing(config, { create, random: randomBytes, steadyNow }, owner, signal),
  };
}

describe("key ring in Vault", () => {
  keyRingContract(async () => {
    const { put, open } = await placed();
    const keks: Record<string, string> = { "1": newKek() };
    await put(JSON.stringify({ v: 1, current: 1, keks }));
    return {
      ring: await open(),
      async addCurrent(epoch) {
        keks[epoch] = newKek();
        await put(JSON.stringify({ v: 1, current: epoch, keks }));
      },
      damage: async () => void (await put("{")),
    };
  });

  test("R-13 a missing key ring is never made in Vault, not even for an empty store; what to do is said", async () => {
    const { path, open } = await placed({ create: true });
    await expect(open()).rejects.toMatchObject({
      code: "KEY_MISSING",
      message: expect.stringMatching(/LASTRO_KEY_RING cannot be read: .*docs\/keys\.md/),
    });
    await expect(vault.ask("GET", path)).rejects.toThrow(/404/);
  });

  test("R-13 a text that is no key ring is refused by its place, without quoting it", async () => {
    const { path, put, open } = await placed();
    const kek = newKek();
    await put(JSON.stringify({ v: 1, current: 2, keks: { "1": kek } }));
    const error = await open().catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`vault:${path}#keyring`),
    });
    expect(String(error)).not.toContain(kek);
  });

  test.each<[string, unknown]>([
    ["opened", { v: 1, current: 1, keks: { "1": newKek() } }],
    ["refused", { v: 1, current: 2, keks: { "1": newKek() } }],
  ])("R-13 the token by which a ring was %s is given back when its owner ends", async (_, ring) => {
    const path = `secret/data/${randomBytes(6).toString("hex")}`;
    const { login, accessors } = await appRole(vault, [path]);
    const { put, open } = await placed({ path, login });
    await put(JSON.stringify(ring));
    const owner = new AsyncDisposableStack();
    await open(owner).catch(() => undefined);
    expect(await accessors()).toHaveLength(1);
    await owner.disposeAsync();
    expect(await accessors()).toEqual([]);
  });

  test("R-13 those who want the ring anew at once share one reading of Vault", async () => {
    const { put, open } = await placed();
    await put(JSON.stringify({ v: 1, current: 1, keks: { "1": newKek() } }));
    const ring = await open();
    const [first, second] = [ring.refresh(), ring.refresh()];
    expect(first).toBe(second);
    await first;
  });
});
